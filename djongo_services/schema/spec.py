"""What models want of the database, as plain values.

:mod:`djongo_services.schema.target` derives these from models, :mod:`djongo_services.schema.diff`
compares them with the catalog; nothing here talks to a server or imports a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from djongo_services.introspection.catalog import Direction
from djongo_services.setting_values import RuleSet

Level = Literal["off", "moderate", "strict"]
Action = Literal["error", "warn"]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexSpec:
    name: str
    keys: tuple[tuple[str, Direction], ...]
    """As ``createIndexes`` takes them: ``(("title", "text"),)``, ``(("$**", 1),)``."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The other arguments of ``createIndexes``, in its spelling: ``unique``, ``sparse``,
    ``partialFilterExpression``, ``expireAfterSeconds``, ``collation``, ``weights``, ``hidden``, ...
    Absent means the server's default."""
    named: bool = True
    """Whether the models chose the name; where they did not, the same index under any name is
    the one that is wanted."""
    declared_by: str = ""
    """``archive.Person.email`` or ``archive.Person.Meta.indexes``: who asked for it."""


class DefinesItself:
    """An index of a model's Meta that says by itself what ``createIndexes`` takes."""

    def definition(
        self, model: Any, *, backend: bool, prefix: str = ""
    ) -> tuple[list[tuple[str, int | str]], dict[str, Any]]:
        """Keys and all options but the name; ``backend`` says who writes the documents.

        ``prefix`` is the path of an embedded model, with its dot. Raises NotExpressible for a
        condition that partial indexes do not have, and FieldDoesNotExist.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something a model says that MongoDB cannot be told; reported, never dropped in silence."""

    subject: str
    """``archive.Loan: constraint loan_dates``."""
    reason: str
    """One sentence with the next step where there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionSpec:
    name: str
    models: tuple[str, ...]
    """Labels of the models that share the collection: ``("archive.Person",)``."""
    view: bool = False
    """Whether the models read a view, which is neither made nor changed."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of ``create``: ``capped``, ``size``, ``timeseries``, ``clusteredIndex``,
    ``collation``, ..."""
    validator: Mapping[str, Any] | None = None
    """The whole validator document; None where the models ask for none."""
    rules: RuleSet | None = None
    """What the validator enforces; None where there can be none."""
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, the constraints among the parts of the validator's ``$and``."""
    never_null: frozenset[str] = frozenset()
    """The columns that no model lets be null: of these, a unique index that passes over nulls and
    one that does not are the same."""
    level: Level | None = None
    """None leaves it to the caller: the plan's validation option."""
    action: Action | None = None
    indexes: tuple[IndexSpec, ...] = ()
    """Without ``_id_``."""
    problems: tuple[Problem, ...] = ()
