"""Making a collection without documents anew, with options that cannot be changed.

The new one is made under a name of its own, with its validator and its indexes, and takes the place
of the old one, which is renamed and only then looked at: whoever writes meanwhile loses nothing. A
document that came into the old one at the last moment, or into one that the server made for it in
between, is brought back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from djongo_services.schema.operations import Operation, Phase, Risk, in_parentheses
from djongo_services.schema.spec import IndexSpec

PREFIX = "djongo_services_"


def fresh_name(collection: str) -> str:
    """Where the new one is made."""
    return f"{PREFIX}fresh_{collection}"


def aside_name(collection: str, number: int = 1) -> str:
    """Where the old one goes, and from number 2 on those that were made in between."""
    return f"{PREFIX}aside_{number}_{collection}"


@dataclass(frozen=True, kw_only=True, slots=True)
class RemakeCollection(Operation):
    """Several commands; interrupted after any of them, it can be done again."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of the new one, its validator among them."""
    indexes: tuple[IndexSpec, ...] = ()
    found: Mapping[str, Any] = field(default_factory=dict)
    """Options of the old one; a collection with others has been made by somebody since."""

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
        """The one that makes the new collection."""
        return {"create": self.collection, **self.options}


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishRemaking(Operation):
    """Bring back the documents of what was set aside, and drop it when it is empty."""

    kind: ClassVar[str] = "finish-remaking"

    @property
    def phase(self) -> Phase:
        return Phase.TIDY

    def words(self) -> str:
        return "restore documents written in the meantime, and drop the old collection"

    def command(self) -> dict[str, Any]:
        """The one that drops the old collection."""
        return {"drop": aside_name(self.collection)}
