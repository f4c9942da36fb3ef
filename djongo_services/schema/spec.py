"""What models want of the database, as plain values.

:mod:`djongo_services.schema.target` derives these from models, :mod:`djongo_services.schema.diff`
compares them with the catalog; nothing here talks to a server or imports a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from djongo_services.introspection.catalog import Direction

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
    options: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of ``create``: ``capped``, ``size``, ``timeseries``, ``clusteredIndex``,
    ``collation``, ..."""
    validator: Mapping[str, Any] | None = None
    """The whole validator document; None where the models ask for none."""
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, the constraints among the parts of the validator's ``$and``."""
    level: Level | None = None
    """None leaves it to the caller: the plan's validation option."""
    action: Action | None = None
    indexes: tuple[IndexSpec, ...] = ()
    """Without ``_id_``."""
    problems: tuple[Problem, ...] = ()
