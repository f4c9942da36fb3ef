"""Where a profile's numbers come from: counted on this side, estimated, or exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from djongo_services.bson_types import server_type
from djongo_services.introspection.profiling.counting import Tally
from djongo_services.introspection.profiling.shape import (
    FETCHED,
    SAMPLED,
    Lengths,
    MapShape,
    Node,
)

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Parents:
    """What a node's values are counted against: documents, objects, elements or keys."""

    number: int
    sampled: int
    fetched: int


class Figures(Protocol):
    def types(self, node: Node, parents: Parents, *, always: bool) -> Mapping[str, int]:
        """Refined type to number of values; ``always`` if no parent lacks one, by proof."""
        ...

    def lengths(self, node: Node, arrays: int) -> Lengths:
        """Of the ``arrays`` arrays at a node."""
        ...

    def entries(self, shape: MapShape, objects: Parents) -> int:
        """Number of keys in all maps of a shape, which the objects hold."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of one tally as they are."""

    tally: int

    def types(self, node: Node, parents: Parents, *, always: bool) -> Mapping[str, int]:
        return node.counts[self.tally]

    def lengths(self, node: Node, arrays: int) -> Lengths:
        return node.array.lengths[self.tally] if node.array is not None else Lengths()

    def entries(self, shape: MapShape, objects: Parents) -> int:
        return shape.value.seen(self.tally)


class Estimated:
    """The sample's shares, for the whole collection.

    A type that the sample lacks and the proof found is rare: it counts as often as it was fetched,
    a lower bound. A field that no parent lacks, by proof, is in all of them; one that some parent
    lacks is in all but one at most.
    """

    def types(self, node: Node, parents: Parents, *, always: bool) -> Mapping[str, int]:
        sampled, fetched = node.counts
        present = self._present(node, parents, always=always)
        if not any(sampled.values()):
            return share(fetched, present)
        late = {name: count for name, count in fetched.items() if not sampled.get(name)}
        rest = max(present - sum(late.values()), len(sampled))
        return share(sampled, rest) | late

    def _present(self, node: Node, parents: Parents, *, always: bool) -> int:
        if always:
            return parents.number
        if node.seen(SAMPLED):
            estimate = round(parents.number * node.seen(SAMPLED) / max(parents.sampled, 1))
        elif parents.sampled:
            estimate = node.seen(FETCHED)
        else:
            estimate = round(parents.number * node.seen(FETCHED) / max(parents.fetched, 1))
        return max(1, min(estimate, parents.number - 1))

    def lengths(self, node: Node, arrays: int) -> Lengths:
        if node.array is None:
            return Lengths()
        sampled, fetched = node.array.lengths
        basis = sampled if sampled.classes else fetched
        every = Lengths()
        every.merge(sampled)
        every.merge(fetched)
        return Lengths(
            minimum=every.minimum,
            maximum=every.maximum,
            total=round(arrays * basis.total / max(basis.arrays, 1)),
            classes=share(basis.classes, arrays),
        )

    def entries(self, shape: MapShape, objects: Parents) -> int:
        node = shape.value
        if objects.sampled and node.seen(SAMPLED):
            return round(objects.number * node.seen(SAMPLED) / objects.sampled)
        return round(objects.number * node.seen(FETCHED) / max(objects.fetched, 1))


@dataclass(frozen=True, slots=True)
class Exact:
    """The server's counts; what it did not need to count follows from the number of parents."""

    tally: Tally

    def types(self, node: Node, parents: Parents, *, always: bool) -> Mapping[str, int]:
        found = self.tally.types.get(id(node))
        if found is not None:
            return _refined(found, node)
        known = node.types
        return {known[0]: parents.number} if always and len(known) == 1 else {}

    def lengths(self, node: Node, arrays: int) -> Lengths:
        return self.tally.lengths.get(id(node), Lengths())

    def entries(self, shape: MapShape, objects: Parents) -> int:
        return self.tally.rows.get(id(shape.value), 0)


def _refined(found: Mapping[str, int], node: Node) -> dict[str, int]:
    """The server's names as the refined ones that documents of this shape have.

    Where a count stands for several (binary values whose length does not tell the subtype), it is
    shared in the proportion of those that were read.
    """
    result: dict[str, int] = {}
    for name, count in found.items():
        parts = {name: count}
        if name.endswith("?"):
            parts = share(_read(node, name[:-1]), count)
        elif name == "object" and node.object is None and node.ref is not None:
            parts = {"dbRef": count}
        for refined, part in parts.items():
            result[refined] = result.get(refined, 0) + part
    return result


def _read(node: Node, name: str) -> dict[str, int]:
    """How many values of each refinement of a server's type were read."""
    return {
        known: node.counts[SAMPLED][known] + node.counts[FETCHED][known]
        for known in node.types
        if server_type(known) == name
    }


def share(weights: Mapping[Name, int], total: int) -> dict[Name, int]:
    """``total`` in the proportion of the weights; the parts add up, and none is 0 if it can be."""
    weights = {name: weight for name, weight in weights.items() if weight > 0}
    every = sum(weights.values())
    parts = {name: max(1, total * weight // every) for name, weight in weights.items()}
    if parts:
        largest = max(parts, key=lambda name: parts[name])
        parts[largest] = max(1, parts[largest] + total - sum(parts.values()))
    return parts
