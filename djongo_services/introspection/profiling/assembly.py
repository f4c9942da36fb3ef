"""From a shape to the fields of a profile, and the sources of their numbers.

Numbers are counted locally, estimated, or exact. The number of keys in a map is a lower bound
unless all documents were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.bson_types import server_type
from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.profiling.counting import Tally
from djongo_services.introspection.profiling.extraction import (
    Stage,
    extraction,
    keys_of_object,
    named_beside_keys,
    reachable,
)
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.proof import demanded
from djongo_services.introspection.profiling.shape import (
    FETCHED,
    SAMPLED,
    Lengths,
    MapShape,
    Node,
    ObjectShape,
    is_utf8,
)
from djongo_services.introspection.report import ArrayLengths, Field, MapKeys, Profile, TypeCount
from djongo_services.progress import Stop


def fields_of(shape: ObjectShape, documents: int, figures: Figures) -> tuple[Field, ...]:
    """The top-level fields of ``documents`` documents, ``_id`` first."""
    fields = list(_object(shape, (), documents, figures))
    fields.sort(key=lambda field: field.path != ("_id",))
    return tuple(fields)


def _object(shape: ObjectShape, path: Path, number: int, figures: Figures) -> Iterator[Field]:
    parents = Parents(number, shape.objects[SAMPLED], shape.objects[FETCHED])
    proven = demanded(shape)
    for name, node in shape.fields.items():
        step = name.decode("utf-8", "backslashreplace")
        # The server cannot be queried for such a name, but every document with it was read.
        own = figures if is_utf8(name) or isinstance(figures, Counted) else Counted(FETCHED)
        found = _field((*path, step), node, parents, own, always=name in proven)
        if found is not None:
            yield found
    if shape.map is not None:
        entry = _entry((*path, KEY), shape.map, parents, figures)
        if entry is not None:
            yield entry


def _entry(path: Path, shape: MapShape, objects: Parents, figures: Figures) -> Field | None:
    value = shape.value
    number = figures.entries(shape, objects)
    parents = Parents(number, value.seen(SAMPLED), value.seen(FETCHED))
    keys = _map_keys(shape) if len(path) == 1 else None
    return _field(path, value, parents, figures, always=True, keys=keys)


def _field(
    path: Path,
    node: Node,
    parents: Parents,
    figures: Figures,
    *,
    always: bool,
    keys: MapKeys | None = None,
) -> Field | None:
    """The field at the path; None if there is none (any more)."""
    counts = {
        name: count
        for name, count in figures.types(node, parents, always=always).items()
        if count > 0
    }
    if not counts or not parents.number:
        return None
    children: list[Field] = []
    lengths: Lengths | None = None
    if node.object is not None and "object" in counts:
        children += _object(node.object, path, counts["object"], figures)
        if node.object.map is not None:
            keys = _map_keys(node.object.map)
    if node.array is not None and "array" in counts:
        lengths = figures.lengths(node, counts["array"])
        element = _element((*path, ELEMENT), node, lengths.total, figures)
        children += [element] if element is not None else []
    return Field(
        path=path,
        parents=parents.number,
        types=_types(counts, parents.number),
        lengths=_lengths(lengths) if lengths is not None else None,
        map=keys,
        children=tuple(children),
    )


def _element(path: Path, node: Node, number: int, figures: Figures) -> Field | None:
    if node.array is None:
        return None
    element = node.array.element
    parents = Parents(number, element.seen(SAMPLED), element.seen(FETCHED))
    return _field(path, element, parents, figures, always=True)


def _types(counts: dict[str, int], parents: int) -> dict[str, TypeCount]:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return {
        name: TypeCount(count=count, probability=min(count / parents, 1.0))
        for name, count in ordered
    }


def _lengths(lengths: Lengths) -> ArrayLengths:
    return ArrayLengths(
        minimum=lengths.minimum,
        maximum=lengths.maximum,
        mean=lengths.total / max(lengths.arrays, 1),
        histogram=dict(sorted(lengths.classes.items())),
    )


def _map_keys(shape: MapShape) -> MapKeys:
    keys = shape.keys
    return MapKeys(format=keys.format, distinct=len(keys.seen), distinct_is_bound=keys.more)


# The source of a profile's numbers: counted locally, estimated, or exact.
Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Parents:
    """What a node's values are counted against: documents, objects, elements or keys."""

    number: int
    sampled: int
    fetched: int


class Figures(Protocol):
    def types(self, node: Node, parents: Parents, *, always: bool) -> Mapping[str, int]:
        """The number of values by refined type; ``always`` if it is proven that every parent has
        one."""
        ...

    def lengths(self, node: Node, arrays: int) -> Lengths:
        """The lengths of the ``arrays`` arrays at a node."""
        ...

    def entries(self, shape: MapShape, objects: Parents) -> int:
        """The number of keys in all maps of a shape, in these objects."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """The numbers of one tally, unchanged."""

    tally: int

    def types(self, node: Node, parents: Parents, *, always: bool) -> Mapping[str, int]:
        return node.counts[self.tally]

    def lengths(self, node: Node, arrays: int) -> Lengths:
        return node.array.lengths[self.tally] if node.array is not None else Lengths()

    def entries(self, shape: MapShape, objects: Parents) -> int:
        return shape.value.seen(self.tally)


class Estimated:
    """The sample's shares, for the whole collection.

    A type that the sample lacks and the proof found is rare: its count is the number of fetched
    values, a lower bound. A field that every parent has, by proof, is in all of them; otherwise it
    is in at most all but one.
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
    """The server's type names as the refined ones that documents of this shape have.

    If a count covers several (binary values whose length does not show the subtype), it is divided
    in the proportion of those that were read.
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
    """``total`` divided in the proportion of the weights; the parts add up, and none is 0 if that
    is possible."""
    weights = {name: weight for name, weight in weights.items() if weight > 0}
    every = sum(weights.values())
    parts = {name: max(1, total * weight // every) for name, weight in weights.items()}
    if parts:
        largest = max(parts, key=lambda name: parts[name])
        parts[largest] = max(1, parts[largest] + total - sum(parts.values()))
    return parts


# The number of keys in a map: what documents showed is a lower bound, unless all were read.
def at_least(profile: Profile) -> Profile:
    """The profile of a part of the documents: others may have other keys."""
    return _with_keys(profile, lambda _, keys: replace(keys, distinct_is_bound=True))


def counted(profile: Profile, collection: Collection[Any], stop: Stop) -> Profile:
    """The profile with the number of keys that the server counts, if it is not known yet.

    One scan for each such map, in which the server may use its disk; if it refuses (for example for
    maps inside more than 10 others), the lower bound stays. Raises ProfilingInterrupted.
    """
    beside = named_beside_keys(profile)

    def count(path: Path, keys: MapKeys) -> MapKeys:
        if not keys.distinct_is_bound or not reachable(path):
            return keys
        key = keys_of_object("$v" if path else "$$ROOT", beside.get(path, ()))
        values: list[Stage] = extraction([path], beside=beside) if path else []
        pipeline = [
            *values,
            {"$project": {"_id": 0, "k": key}},
            {"$unwind": "$k"},
            {"$group": {"_id": "$k"}},
            {"$count": "keys"},
        ]
        try:
            rows = aggregate(collection, pipeline, stop=stop)
        except OperationFailure:
            return keys
        if not rows:
            return keys
        return replace(keys, distinct=int(rows[0]["keys"]), distinct_is_bound=False)

    return _with_keys(profile, count)


def _with_keys(profile: Profile, change: Callable[[Path, MapKeys], MapKeys]) -> Profile:
    """The profile with changed key counts; ``change`` gets the path of the object with the keys."""

    def changed(field: Field) -> Field:
        keys = field.map
        if keys is not None:
            # If documents themselves are maps, their own keys have the figures.
            at = field.path[:-1] if field.path == (KEY,) else field.path
            keys = change(at, keys)
        return replace(field, map=keys, children=tuple(map(changed, field.children)))

    return replace(profile, fields=tuple(map(changed, profile.fields)))
