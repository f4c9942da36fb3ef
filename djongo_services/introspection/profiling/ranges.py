"""Ranges of ``_id`` across all BSON types, so that a collection can be read in parts.

``{_id: {$gt: x}}`` alone stays within the type of ``x``: a collection with ObjectIds and strings
would lose half of its documents. A negated comparison keeps the other types and gives the index
the same bounds; ``$expr`` compares across types and makes it exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import pairwise
from typing import Any, Final

import bson
from bson import Decimal128
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from djongo_services.introspection.profiling.walk import identity

_CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, tz_aware=False
)

_PLAIN: Final = frozenset({0x02, 0x07, 0x09})
"""Types within which ``$gte`` and ``$lt`` are sufficient: string, ObjectId, date."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An ``_id``: its BSON type, and a value that PyMongo encodes to the same bytes."""

    kind: int
    value: Any

    @classmethod
    def of(cls, document: bytes) -> Bound | None:
        """The bound at a raw document; None for an ``_id`` that cannot be compared with.

        Those are missing ones, null, NaN and the extremes of the BSON order, documents with a field
        that looks like an operator, and bytes that PyMongo would encode differently.
        """
        raw = identity(document)
        if raw is None or raw[4] in (0x06, 0x0A, 0x0B, 0x7F, 0xFF):
            return None
        try:
            value = bson.decode(raw, codec_options=_CODEC)["_id"]
            faithful = bson.encode({"_id": value}) == raw
        except (BSONError, ValueError, OverflowError):
            return None
        if not faithful or _is_nan(value) or _reads_like_an_operator(value):
            return None
        return cls(raw[4], value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """Documents from ``low`` on and before ``high``; None means the end of the collection."""

    low: Bound | None = None
    high: Bound | None = None
    after: bool = False
    """Whether ``low`` itself is excluded."""

    def query(self) -> dict[str, Any]:
        """The filter that finds the range's documents by the index on ``_id``."""
        low, high = self.low, self.high
        if low is None and high is None:
            return {}
        if low is not None and high is not None and low.kind == high.kind and low.kind in _PLAIN:
            return {"_id": {"$gt" if self.after else "$gte": low.value, "$lt": high.value}}
        tests: list[dict[str, Any]] = []
        exact: list[dict[str, Any]] = []
        if low is not None:
            tests.append({"_id": {"$not": {"$lte" if self.after else "$lt": low.value}}})
            exact.append({"$gt" if self.after else "$gte": ["$_id", {"$literal": low.value}]})
        if high is not None:
            tests.append({"_id": {"$not": {"$gte": high.value}}})
            exact.append({"$lt": ["$_id", {"$literal": high.value}]})
        return {"$and": [*tests, {"$expr": {"$and": exact}}]}


def split(bounds: Sequence[Bound], parts: int) -> list[Range]:
    """About ``parts`` ranges of similar size that cover everything, from bounds in BSON order."""
    step = max(1, len(bounds) // max(1, parts))
    cuts: list[Bound] = []
    for cut in bounds[step::step]:
        if not cuts or cut.value != cuts[-1].value or cut.kind != cuts[-1].kind:
            cuts.append(cut)
    edges: list[Bound | None] = [None, *cuts, None]
    return [Range(low=low, high=high) for low, high in pairwise(edges)]


def in_order(bounds: Iterable[Bound], *, strings: bool = True) -> list[Bound]:
    """Bounds of one comparable type, sorted; those of rarer types are left out.

    Cutting needs bounds in the server's order, and within one type Python has the same order; for
    ``strings`` only if no collation applies. Every document is in some range nevertheless, since
    ranges cover all types.
    """
    by_kind: dict[int, list[Bound]] = {}
    for bound in bounds:
        if bound.kind in _SORTABLE and (strings or bound.kind != _STRING):
            by_kind.setdefault(_SORTABLE[bound.kind], []).append(bound)
    if not by_kind:
        return []
    most = max(by_kind.values(), key=lambda found: len(found))
    return sorted(most, key=cmp_to_key(_compare))


_STRING: Final = 0x02
_SORTABLE: Final = {0x01: 1, 0x10: 1, 0x12: 1, 0x02: 2, 0x07: 3, 0x09: 4}
"""The bracket of a type: numbers of all types compare with each other."""


def _compare(first: Bound, second: Bound) -> int:
    left, right = first.value, second.value
    if isinstance(left, str):
        left, right = left.encode("utf-8"), right.encode("utf-8")
    return int(left > right) - int(left < right)


def _is_nan(value: object) -> bool:
    if isinstance(value, Decimal128):
        return value.to_decimal().is_nan()
    return isinstance(value, float) and value != value


def _reads_like_an_operator(value: object) -> bool:
    return isinstance(value, dict) and any(key.startswith("$") for key in value)
