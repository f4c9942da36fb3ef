"""Exact counts, by grouping on the server what the proof left open.

A field that the proof requires and that has one type need not be counted: there are as many as
there are parents. What remains are optional fields, fields with several types, and arrays. The
documents are grouped by the vector of these types, so one scan counts many fields; a vector that
could have too many values is divided among several scans.

Elements of arrays and entries of maps are *scopes* of their own: they are unwound, then grouped in
the same way, but only if something in them is open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from djongo_services.introspection.profiling.expressions import (
    Expression,
    entries,
    kind,
    length_bound,
    member,
    no_ref,
    only_array,
)
from djongo_services.introspection.profiling.proof import demanded, is_plain
from djongo_services.introspection.profiling.shape import (
    Lengths,
    Node,
    ObjectShape,
    is_utf8,
)

Stage = dict[str, Any]

_BELOW_DOT: Final = re.compile(rb"[\x01-\x2d]")

MAXIMUM_GROUPS: Final = 4_096
"""The maximum number of groups in one scan, as far as the known types determine it."""

MAXIMUM_NESTING: Final = 6
"""Steps of an expression that are more than a dotted path; beyond this number, a separate stage
begins, because each step takes several of the 200 levels of BSON that the server parses."""

VARIABLES: Final = 100
"""The maximum number of fields in one vector, however few values each has."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A value whose type, and length for an array, varies from document to document."""

    node: Node
    value: Expression

    @property
    def groups(self) -> int:
        known = len(self.node.types) + 1
        if self.node.array is None:
            return known
        return known + sum(len(lengths.classes) for lengths in self.node.array.lengths)


@dataclass(frozen=True, slots=True)
class Scan:
    """One pipeline: it begins with a range of documents and ends with the groups."""

    stages: list[Stage]
    variables: list[Variable]
    scope: object
    """What the number of rows counts: the document's shape or an element's node."""

    def pipeline(self) -> list[Stage]:
        group: dict[str, Any] = {"_id": [], "n": {"$sum": 1}}
        for number, variable in enumerate(self.variables):
            node, value = variable.node, variable.value
            if node.array is None:
                group["_id"].append(kind(value, node.types))
                continue
            size = {"$size": only_array(value)}
            bound = {"$cond": [{"$isArray": [value]}, length_bound(size), kind(value, node.types)]}
            group["_id"].append(bound)
            for name in ("sum", "min", "max"):
                group[f"{name}{number}"] = {f"${name}": size}
        return [*self.stages, {"$group": group}]


@dataclass(slots=True)
class Tally:
    """The results of counting: rows per scope, types per node, lengths per array."""

    rows: dict[int, int] = field(default_factory=dict)
    types: dict[int, dict[str, int]] = field(default_factory=dict)
    lengths: dict[int, Lengths] = field(default_factory=dict)

    def add(self, scan: Scan, groups: list[dict[str, Any]], *, rows: bool) -> None:
        """Add the groups of one range; ``rows`` is set for only one scan of each scope."""
        for group in groups:
            number = group["n"]
            if rows:
                key = id(scan.scope)
                self.rows[key] = self.rows.get(key, 0) + number
            for index, variable in enumerate(scan.variables):
                self._add(variable.node, group["_id"][index], number, index, group)

    def _add(
        self, node: Node, found: str | int, number: int, index: int, group: dict[str, Any]
    ) -> None:
        if found == "missing":
            return
        types = self.types.setdefault(id(node), {})
        name = found if isinstance(found, str) else "array"
        types[name] = types.get(name, 0) + number
        if not isinstance(found, str):
            lengths = self.lengths.setdefault(id(node), Lengths())
            shortest, longest = group[f"min{index}"], group[f"max{index}"]
            lengths.join(shortest, longest, group[f"sum{index}"], found, number)


def plan_scans(shape: ObjectShape) -> list[Scan]:
    """The scans that count everything about documents of a shape that is proven complete."""
    planner = _Planner()
    planner.documents(shape)
    if not planner.names_collide:
        return planner.scans
    # If the whole document is used, the server does not determine which paths it needs.
    whole: list[Stage] = [{"$replaceWith": "$$ROOT"}]
    return [replace(scan, stages=whole + scan.stages) for scan in planner.scans]


@dataclass(frozen=True, slots=True)
class _Inner:
    """A scope inside another: its position, and what begins there."""

    value: Expression
    node: Node
    step: Literal["element", "entry", "object"]


class _Planner:
    def __init__(self) -> None:
        self.scans: list[Scan] = []
        self.names_collide = False
        """Whether ``a`` and, for example, ``a b`` are siblings: MongoDB 4.4 sorts the paths that it
        needs, finds ``a b`` between ``a`` and ``a.c``, and refuses the two as a path collision."""
        self._inner: list[_Inner] = []

    def documents(self, shape: ObjectShape) -> None:
        self._scope([], shape, self._object(shape, "$$ROOT", 0), always=True)

    def _scope(
        self, stages: list[Stage], scope: object, found: Iterator[Variable], *, always: bool
    ) -> None:
        """Scans for the variables of one scope, then for the scopes found inside it."""
        self._inner = []
        vectors = list(_vectors(list(found)))
        inside, self._inner = self._inner, []
        if not vectors and always:
            vectors = [[]]
        self.scans += [Scan(stages, vector, scope) for vector in vectors]
        for inner in inside:
            steps: list[Stage] = [*stages, {"$project": {"_id": 0, "e": inner.value}}]
            if inner.step == "object":
                variables = self._below(inner.node, "$e", 0)
            else:
                steps.append({"$unwind": "$e"})
                root = "$e.v" if inner.step == "entry" else "$e"
                variables = self._node(inner.node, root, 0, present=True)
            self._scope(steps, inner.node, variables, always=inner.step == "entry")

    def _object(
        self, shape: ObjectShape, value: Expression, nesting: int, *, guarded: bool = False
    ) -> Iterator[Variable]:
        """The variables in an object, except those inside arrays or maps."""
        proven = demanded(shape)
        self.names_collide |= any(
            key[: found.start()] in shape.fields
            for key in shape.fields
            for found in _BELOW_DOT.finditer(key)
        )
        for key, node in shape.fields.items():
            if not is_utf8(key):
                continue
            name = key.decode("utf-8")
            path = isinstance(value, str) and not guarded and is_plain(name)
            reached = member(value, name, guarded=guarded)
            yield from self._node(node, reached, nesting + (not path), present=key in proven)
        if shape.map is not None:
            fixed = {name.decode("utf-8") for name in shape.fields if is_utf8(name)}
            self._inner.append(_Inner(entries(value, fixed), shape.map.value, "entry"))

    def _node(
        self, node: Node, value: Expression, nesting: int, *, present: bool
    ) -> Iterator[Variable]:
        if not present or _is_open(node):
            yield Variable(node, value)
        if node.array is not None:
            self._inner.append(_Inner(only_array(value), node.array.element, "element"))
        if node.object is not None and nesting > MAXIMUM_NESTING:
            self._inner.append(_Inner(value, node, "object"))
        else:
            yield from self._below(node, value, nesting)

    def _below(self, node: Node, value: Expression, nesting: int) -> Iterator[Variable]:
        """The variables in the embedded documents at a node; a DBRef's own fields need none."""
        if node.object is None:
            return
        if node.ref is not None:
            value = no_ref(value)
        yield from self._object(node.object, value, nesting, guarded=node.array is not None)


def _is_open(node: Node) -> bool:
    """Whether the type does not follow from the proof, which does not distinguish binary
    subtypes."""
    return (
        len(node.types) != 1
        or node.array is not None
        or node.types[0].partition(":")[0] == "binData"
    )


def _vectors(variables: list[Variable]) -> Iterator[list[Variable]]:
    """Variables in vectors with a bounded number of values."""
    vector: list[Variable] = []
    groups = 1
    for variable in sorted(variables, key=lambda each: each.groups):
        if vector and (groups * variable.groups > MAXIMUM_GROUPS or len(vector) == VARIABLES):
            yield vector
            vector, groups = [], 1
        vector.append(variable)
        groups *= variable.groups
    if vector:
        yield vector
