"""The result of an inspection, as plain values: one report object that every renderer reads.

Nothing here computes or prints, apart from look-ups; :mod:`djongo_services.introspection.profiling`
creates it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.path import Path, render_path

Depth = Literal["sample", "complete", "exact"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TypeCount:
    count: int
    probability: float
    """``count`` divided by :attr:`Field.parents`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrayLengths:
    """Lengths of the arrays at a path."""

    minimum: int
    maximum: int
    mean: float
    histogram: Mapping[int, int]
    """The number of arrays in each length class; a class is named by its upper bound: 0, 1, 2, 4,
    8, 16, ..."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MapKeys:
    """The keys of an object whose keys are data."""

    format: str
    """``objectId``, ``uuid``, ``date``, ``number``, ``locale``, ``hash``, ``identifier`` or
    ``mixed``."""
    distinct: int
    """Distinct keys seen: at most 1,000, unless the server counted them (depth ``exact``)."""
    distinct_is_bound: bool = False
    """Whether there may be more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueSummary:
    """A summary of the values at a path; only if values were requested."""

    minimum: Any = None
    maximum: Any = None
    """The maximum in BSON order, for the most frequent type that has an order; None if there is
    none."""
    shortest: int | None = None
    longest: int | None = None
    """The length of strings in characters, of binary values in bytes."""
    distinct: int | None = None
    distinct_is_bound: bool = False
    """Whether ``distinct`` is only what was counted before the limit."""
    enum: tuple[tuple[Any, int], ...] = ()
    """Every value with its count, most frequent first, if there are few; otherwise empty."""
    formats: Mapping[str, float] = field(default_factory=dict)
    """``email``, ``url``, ``uuid``, ``date``, ``datetime``, ``objectId``, ``number``, ``slug``
    or ``ip`` to the share of strings that have it; formats below 0.5 are left out."""
    boolean_like: bool = False
    """Whether there are at most two values, and they read as yes and no: 0/1, "Y"/"N",
    "true"/"false", ..."""
    exact: bool = False
    """Whether every document was read, or only the sample."""
    masked: bool = False
    """Whether ``minimum``, ``maximum`` and ``enum`` are left out because they look like secrets:
    :mod:`djongo_services.introspection.masking`."""

    @property
    def constant(self) -> bool:
        return self.distinct == 1 and not self.distinct_is_bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """Everything known about one path.

    ``parents`` is what the probabilities refer to: for a field of the document the number of
    documents, for ``a.b`` the number of objects at ``a``, for ``tags[]`` the number of elements of
    all arrays at ``tags``, for ``by_day.<key>`` the number of keys of all maps at ``by_day``.
    """

    path: Path
    parents: int
    types: Mapping[str, TypeCount]
    """Types by refined BSON type name (:mod:`djongo_services.bson_types`), most frequent first."""
    lengths: ArrayLengths | None = None
    map: MapKeys | None = None
    values: ValueSummary | None = None
    children: tuple[Field, ...] = ()
    """Fields of embedded documents by first appearance, followed by elements, or the keys of a
    map."""

    @property
    def name(self) -> str:
        """The path as text: ``a.b``, ``tags[]``, ``by_day.<key>``."""
        return render_path(self.path)

    @property
    def present(self) -> int:
        return sum(found.count for found in self.types.values())

    @property
    def missing(self) -> int:
        return self.parents - self.present

    @property
    def null(self) -> int:
        found = self.types.get("null")
        return found.count if found else 0

    @property
    def probability(self) -> float:
        """Share of the parents that have the field, null or not."""
        return self.present / self.parents if self.parents else 0.0

    def walk(self) -> Iterator[Field]:
        """This field and all below it, parents first."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How much of the collection a profile is based on."""

    requested: Depth
    reached: Depth
    """The depth that was reached: less than requested if the work was stopped, with the reason in
    :attr:`stopped`."""
    documents: int
    """The documents in the collection: the server's metadata count, or the exact count at the depth
    ``exact``."""
    examined: int
    """The documents that were read locally: the sample and the fetched violators."""
    proven: bool = False
    """Whether the server confirmed that no document has another path or type."""
    rounds: int = 0
    """The number of queries for documents that the closed schema did not cover."""
    margin: float | None = None
    """The half-width of the 95 % interval of a probability estimated from the sample (worst case p
    = 0.5, with the finite population correction); None if counts are exact."""
    seconds: float = 0.0
    stopped: str | None = None
    """One sentence, if the result is partial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The shape of a collection's documents."""

    collection: str
    fields: tuple[Field, ...]
    """Top-level fields by first appearance, ``_id`` first."""
    coverage: Coverage

    def walk(self) -> Iterator[Field]:
        """Every field at every depth, parents first."""
        for top in self.fields:
            yield from top.walk()

    def __getitem__(self, name: str) -> Field:
        """The field whose rendered path is ``name``; KeyError if there is none."""
        for found in self.walk():
            if found.name == name:
                return found
        raise KeyError(name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """Values at a path that are keys of another collection."""

    path: Path
    target: str
    """The collection that is referred to."""
    target_path: str = "_id"
    kind: Literal["value", "text", "dbRef", "pointer"] = "value"
    """``value``: the keys themselves. ``text``: ObjectIds or UUIDs stored as text although the
    target does not, or the other way round. ``dbRef`` and Parse's ``pointer``: collection and
    key."""
    many: bool = False
    """Whether the path goes through an array."""
    unique: bool = False
    """Whether a unique index covers the path alone: at most one document refers to each target."""
    checked: int = 0
    """The number of distinct non-null values that were looked up."""
    found: int = 0
    complete: bool = False
    """Whether every value was looked up, or only those of the sample."""

    @property
    def confidence(self) -> float:
        return self.found / self.checked if self.checked else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A problem that needs attention."""

    code: str
    """A stable code: ``mixed-types``, ``near-missing``, ``unbounded-array``, ``deep-nesting``,
    ``number-as-string``, ``date-as-string``, ``index-without-data``, ``redundant-index``,
    ``reference-without-index``, ``dangling-reference``, ``validator-violations``,
    ``validator-off``, ``corrupt-index``, ``ttl-without-dates`` or ``unreadable``."""
    message: str
    """One sentence that names the field or index."""
    path: str | None = None
    """The rendered path, or the name of an index for warnings about one."""
    paths: tuple[str, ...] = ()
    """Rendered paths, if the warning is about several fields."""
    count: int | None = None
    """The number of affected documents, if known; for several fields, of values."""
    examples: tuple[Any, ...] = ()
    """A handful of ``_id`` values; only if values were requested or a validator refuses them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionReport:
    collection: Collection
    profile: Profile | None = None
    """None if documents cannot be read, for the reason in a warning ``unreadable``, and if the
    inspection ended earlier."""
    references: tuple[Reference, ...] = ()
    warnings: tuple[Finding, ...] = ()
    muted: int = 0
    """The number of muted warnings, which are not among these."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    server: Abilities
    database: str
    collections: tuple[CollectionReport, ...]
    """The collections by name."""
    stopped: str | None = None
    """One sentence, if the inspection ended early."""
    inspected_at: datetime | None = None
    """When the inspection began, aware, by the local clock."""

    def __getitem__(self, name: str) -> CollectionReport:
        for report in self.collections:
            if report.collection.name == name:
                return report
        raise KeyError(name)
