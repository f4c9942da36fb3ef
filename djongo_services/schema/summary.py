"""What a run is about, in a few words: ``6 validators, 3 indexes``."""

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
"""What an operation changes: its kind and, of an index, its name; else an empty string."""
KINDS: tuple[Kind, ...] = ("collections", "validators", "indexes", "expiries")
"""In the order in which they are named."""
_WORDS: dict[Kind, tuple[str, str]] = {
    "collections": ("collection", "collections"),
    "validators": ("validator", "validators"),
    "indexes": ("index", "indexes"),
    "expiries": ("expiry", "expiries"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """How many things of each kind a run changes."""

    steps: int
    collections: int = 0
    """Created, with all that belongs to them."""
    validators: int = 0
    indexes: int = 0
    """Without the temporary ones of a rebuild."""
    expiries: int = 0
    """Changes of when documents of time-series and clustered collections expire; a change of a TTL
    index counts as one of the index."""

    def counts(self) -> list[tuple[Kind, int]]:
        """The kinds that there are, in their order. Empty where the steps only tidy up."""
        numbers: Mapping[Kind, int] = {kind: getattr(self, kind) for kind in KINDS}
        return [(kind, number) for kind, number in numbers.items() if number]

    def words(self) -> str:
        """``2 collections, 3 indexes``; the number of steps where these only tidy up."""
        said = [counted(number, *_WORDS[kind]) for kind, number in self.counts()]
        return ", ".join(said) or counted(self.steps, "step")

    def document(self) -> dict[str, int]:
        """For the history; :meth:`from_document` reads it back."""
        return dict(self.counts())

    @classmethod
    def from_document(cls, document: Any, *, steps: int) -> RunSummary:
        """The number of steps alone, for a run that was recorded without a summary."""
        numbers = document if isinstance(document, Mapping) else {}
        known = {kind: numbers[kind] for kind in KINDS if isinstance(numbers.get(kind), int)}
        return cls(steps=steps, **known)


def summarize(operations: Iterable[Operation]) -> RunSummary:
    """An object that several of the operations change counts once."""
    operations = list(operations)
    objects = {
        (kind, step.collection, name) for step in operations for kind, name in objects_of(step)
    }
    created = {collection for kind, collection, _ in objects if kind == "collections"}
    # What a new collection begins with is part of it; its indexes are built by themselves.
    numbers: Counter[str] = Counter(
        kind
        for kind, collection, _ in objects
        if kind in ("collections", "indexes") or collection not in created
    )
    return RunSummary(steps=len(operations), **numbers)


def objects_of(operation: Operation) -> Iterator[SchemaObject]:
    """What the operation changes; nothing for one that only tidies up."""
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
