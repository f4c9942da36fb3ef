"""A short summary of a run: ``6 validators, 3 indexes``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from djongo_services.formatting import counted
from djongo_services.schema.operations import (
    SHADOW_PREFIX,
    BuildIndexes,
    CreateCollection,
    DropIndex,
    MakeUnique,
    Operation,
    PrepareUnique,
    SetCollectionTTL,
    SetHidden,
    SetTTL,
    SetValidator,
)
from djongo_services.schema.remaking import RemakeCollection

Kind = Literal["collections", "validators", "indexes", "expiries"]
SchemaObject: TypeAlias = tuple[Kind, str]
"""What an operation changes: its kind and, for an index, its name; otherwise an empty string."""
KINDS: tuple[Kind, ...] = ("collections", "validators", "indexes", "expiries")
"""The kinds in their order in a summary."""
_WORDS: dict[Kind, tuple[str, str]] = {
    "collections": ("collection", "collections"),
    "validators": ("validator", "validators"),
    "indexes": ("index", "indexes"),
    "expiries": ("expiry", "expiries"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """The number of objects of each kind that a run changes."""

    steps: int
    collections: int = 0
    """Collections that are created, with everything that belongs to them."""
    validators: int = 0
    indexes: int = 0
    """Indexes, without the temporary ones of a rebuild."""
    expiries: int = 0
    """Changes of the expiry of documents in time-series and clustered collections; a change of a
    TTL index counts as one of the index."""

    def counts(self) -> list[tuple[Kind, int]]:
        """The kinds that occur, in their order. Empty if the steps only clean up."""
        numbers: Mapping[Kind, int] = {kind: getattr(self, kind) for kind in KINDS}
        return [(kind, number) for kind, number in numbers.items() if number]

    def words(self) -> str:
        """``2 collections, 3 indexes``; the number of steps if these only clean up."""
        said = [counted(number, *_WORDS[kind]) for kind, number in self.counts()]
        return ", ".join(said) or counted(self.steps, "step")

    def document(self) -> dict[str, int]:
        """The summary for the history; :meth:`from_document` reads it back."""
        return dict(self.counts())

    @classmethod
    def from_document(cls, document: Any, *, steps: int) -> RunSummary:
        """The summary of a run; for one that was recorded without it, only the number of steps."""
        numbers = document if isinstance(document, Mapping) else {}
        known = {kind: numbers[kind] for kind in KINDS if isinstance(numbers.get(kind), int)}
        return cls(steps=steps, **known)


def summarize(operations: Iterable[Operation]) -> RunSummary:
    """A summary of the operations; an object that several of them change counts once."""
    operations = list(operations)
    objects = {
        (kind, step.collection, name) for step in operations for kind, name in objects_of(step)
    }
    created = {collection for kind, collection, _ in objects if kind == "collections"}
    # What a new collection begins with is part of it; its indexes are built separately.
    numbers: Counter[str] = Counter(
        kind
        for kind, collection, _ in objects
        if kind in ("collections", "indexes") or collection not in created
    )
    return RunSummary(steps=len(operations), **numbers)


def objects_of(operation: Operation) -> Iterator[SchemaObject]:
    """What the operation changes; nothing if it only cleans up."""
    match operation:
        case CreateCollection() | RemakeCollection():
            yield "collections", ""
        case SetValidator():
            yield "validators", ""
        case SetCollectionTTL():
            yield "expiries", ""
        case SetTTL() | SetHidden() | PrepareUnique() | MakeUnique():
            yield "indexes", operation.index
        case BuildIndexes(indexes=specs):
            yield from (("indexes", spec.name) for spec in specs if not _is_shadow(spec.name))
        case DropIndex(index=spec) if not _is_shadow(spec.name):
            yield "indexes", spec.name


def _is_shadow(name: str) -> bool:
    return name.startswith(SHADOW_PREFIX)
