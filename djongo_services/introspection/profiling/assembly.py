"""From a shape and its figures to the fields of a profile."""

from __future__ import annotations

from collections.abc import Iterator

from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.profiling.figures import Counted, Figures, Parents
from djongo_services.introspection.profiling.keys import is_utf8
from djongo_services.introspection.profiling.proof_schema import demanded
from djongo_services.introspection.profiling.shape import (
    FETCHED,
    SAMPLED,
    Lengths,
    MapShape,
    Node,
    ObjectShape,
)
from djongo_services.introspection.report import ArrayLengths, Field, MapKeys, TypeCount


def fields_of(shape: ObjectShape, documents: int, figures: Figures) -> tuple[Field, ...]:
    """The top-level fields, ``_id`` first; of ``documents`` documents."""
    fields = list(_object(shape, (), documents, figures))
    fields.sort(key=lambda field: field.path != ("_id",))
    return tuple(fields)


def _object(shape: ObjectShape, path: Path, number: int, figures: Figures) -> Iterator[Field]:
    parents = Parents(number, shape.objects[SAMPLED], shape.objects[FETCHED])
    proven = demanded(shape)
    for name, node in shape.fields.items():
        step = name.decode("utf-8", "backslashreplace")
        # The server cannot be asked for such a name, but every document that has it was read.
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
    """None where there is nothing (any more) at the path."""
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
