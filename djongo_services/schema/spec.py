"""What models require of the database, as plain values.

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
    """The keys in the form of ``createIndexes``: ``(("title", "text"),)``, ``(("$**", 1),)``."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The other arguments of ``createIndexes``, in its spelling: ``unique``, ``sparse``,
    ``partialFilterExpression``, ``expireAfterSeconds``, ``collation``, ``weights``, ``hidden``, ...
    A missing one means the server's default."""
    named: bool = True
    """Whether the models chose the name; otherwise, the same index under any name is accepted."""
    declared_by: str = ""
    """What declares it: ``archive.Person.email`` or ``archive.Person.Meta.indexes``."""


class DefinesItself:
    """An index of a model's Meta that provides the arguments of ``createIndexes`` itself."""

    def definition(
        self, model: Any, *, backend: bool, prefix: str = ""
    ) -> tuple[list[tuple[str, int | str]], dict[str, Any]]:
        """Keys and all options except the name; each of these indexes implements this.

        ``backend`` is what writes the documents.

        ``prefix`` is the path of an embedded model, with its dot. Raises NotExpressible for a
        condition that partial indexes do not support, and FieldDoesNotExist.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something in a model that MongoDB cannot express; it is reported, never silently dropped."""

    subject: str
    """``archive.Loan: constraint loan_dates``."""
    reason: str
    """The reason as a sentence, with the next step if there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionSpec:
    name: str
    models: tuple[str, ...]
    """Labels of the models that share the collection: ``("archive.Person",)``."""
    view: bool = False
    """Whether the models read a view, which is neither created nor changed."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of ``create``: ``capped``, ``size``, ``timeseries``, ``clusteredIndex``,
    ``collation``, ..."""
    validator: Mapping[str, Any] | None = None
    """The whole validator document; None if the models require none."""
    rules: RuleSet | None = None
    """What the validator enforces; None if there can be none."""
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, the constraints among the parts of the validator's ``$and``."""
    never_null: frozenset[str] = frozenset()
    """The columns that no model allows to be null: for these, a unique index that excludes nulls
    and one that does not are equivalent."""
    level: Level | None = None
    """None leaves it to the caller: the plan's validation option."""
    action: Action | None = None
    indexes: tuple[IndexSpec, ...] = ()
    """The indexes without ``_id_``."""
    problems: tuple[Problem, ...] = ()
