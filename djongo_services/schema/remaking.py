"""Recreating a collection without documents, with options that cannot be changed.

The new one is created under a name of its own, with its validator and its indexes, and replaces the
old one, which is renamed and only then checked: concurrent writers lose nothing. A document that
arrived in the old one at the last moment, or in one that the server created for it in between, is
restored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from djongo_services.schema.operations import Operation, Phase, Risk, in_parentheses
from djongo_services.schema.spec import IndexSpec

PREFIX = "djongo_services_"


def fresh_name(collection: str) -> str:
    """The name under which the new one is created."""
    return f"{PREFIX}fresh_{collection}"


def aside_name(collection: str, number: int = 1) -> str:
    """The name of the old one, and from number 2 on, of those that were created in between."""
    return f"{PREFIX}aside_{number}_{collection}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemakeCollection(Operation):
    """Recreate a collection; after an interruption of any of its commands, it can be repeated."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of the new collection, including its validator."""
    indexes: tuple[IndexSpec, ...] = ()
    found: Mapping[str, Any] = field(default_factory=dict)
    """The options of the old collection; one with other options was created by another client
    since."""

    kind: ClassVar[str] = "remake-collection"
    waits_for: ClassVar[str] = "a short exclusive lock on the collection, and open transactions"

    @property
    def phase(self) -> Phase:
        return Phase.CREATE

    @property
    def risk(self) -> Risk:
        return Risk.DESTROYS

    def words(self) -> str:
        said = f"recreate the empty collection{in_parentheses(self.options)}"
        count = len(self.indexes)
        return said if not count else f"{said} with {count} {'index' if count == 1 else 'indexes'}"

    def command(self) -> dict[str, Any]:
        """The command that creates the new collection."""
        return {"create": self.collection, **self.options}


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishRemaking(Operation):
    """Restore the documents of what was set aside, and drop it when it is empty."""

    kind: ClassVar[str] = "finish-remaking"

    @property
    def phase(self) -> Phase:
        return Phase.TIDY

    def words(self) -> str:
        return "restore documents written in the meantime, and drop the old collection"

    def command(self) -> dict[str, Any]:
        """The command that drops the old collection."""
        return {"drop": aside_name(self.collection)}
