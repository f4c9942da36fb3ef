"""What is known about documents so far: a tree that only becomes wider.

Two tallies are always kept separate. :data:`SAMPLED` counts the random sample, from which
probabilities are estimated. :data:`FETCHED` counts the documents that were read because the server
reported that they do not fit: they are not random and must not affect an estimate.

Names are kept as bytes, as in BSON: a name need not be valid UTF-8. Keys that are data have
formats, and only a bounded number of them is kept.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

# Keys that are data: their formats, and the bounded number of them that is kept.
MAXIMUM_KEYS: Final = 1_000
"""The number of distinct keys that a map keeps: enough to distinguish a handful from very many, at
100 KB each."""

_LANGUAGES: Final = (
    "aa|ab|ae|af|ak|am|an|ar|as|av|ay|az|ba|be|bg|bi|bm|bn|bo|br|bs|ca|ce|ch|co|cr|cs|cu|cv|cy|da|"
    "de|dv|dz|ee|el|en|eo|es|et|eu|fa|ff|fi|fj|fo|fr|fy|ga|gd|gl|gn|gu|gv|ha|he|hi|ho|hr|ht|hu|hy|"
    "hz|ia|id|ie|ig|ii|ik|io|is|it|iu|ja|jv|ka|kg|ki|kj|kk|kl|km|kn|ko|kr|ks|ku|kv|kw|ky|la|lb|lg|"
    "li|ln|lo|lt|lu|lv|mg|mh|mi|mk|ml|mn|mr|ms|mt|my|na|nb|nd|ne|ng|nl|nn|no|nr|nv|ny|oc|oj|om|or|"
    "os|pa|pi|pl|ps|pt|qu|rm|rn|ro|ru|rw|sa|sc|sd|se|sg|si|sk|sl|sm|sn|so|sq|sr|ss|st|su|sv|sw|ta|"
    "te|tg|th|ti|tk|tl|tn|to|tr|ts|tt|tw|ty|ug|uk|ur|uz|ve|vi|vo|wa|wo|xh|yi|yo|za|zh|zu"
)
"""ISO 639-1. Three-letter codes are left out, because ``age``, ``sku`` and ``zip`` look like
them."""

PATTERNS: Final[dict[str, str]] = {
    "objectId": r"[0-9a-f]{24}",
    "uuid": r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "hash": r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9A-F]{32}|[0-9A-F]{40}|[0-9A-F]{64})",
    "date": r"[12][0-9]{3}-[01][0-9](?:-[0-3][0-9](?:[T ][0-9:.,+Z-]{1,24})?)?",
    "number": r"-?[0-9]{1,20}",
    "locale": rf"(?:{_LANGUAGES})(?:[-_][A-Z][a-z]{{3}})?(?:[-_](?:[A-Z]{{2}}|[0-9]{{3}}))?",
}
"""A pattern for each format, which Python's ``re`` and the server's PCRE treat alike. No two match
the same key, so the format of a key never depends on earlier keys."""

_COMPILED: Final = {name: re.compile(pattern.encode("ascii")) for name, pattern in PATTERNS.items()}


def key_format(key: bytes) -> str | None:
    """The format of a key that looks like data, or None for one that looks like a name."""
    for name, pattern in _COMPILED.items():
        if pattern.fullmatch(key):
            return name
    return None


def is_utf8(key: bytes) -> bool:
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@dataclass(slots=True)
class KeySet:
    """The keys that belong to a map, of which up to :data:`MAXIMUM_KEYS` are kept."""

    formats: set[str] = field(default_factory=set)
    open: bool = False
    """Whether every key that is not a field of its own belongs to it, whatever its format."""
    seen: set[bytes] = field(default_factory=set)
    more: bool = False
    """Whether there were more keys than are kept."""

    def accepts(self, key: bytes) -> bool:
        return self.open or key_format(key) in self.formats

    def add(self, key: bytes) -> None:
        if len(self.seen) < MAXIMUM_KEYS:
            self.seen.add(key)
        elif key not in self.seen:
            self.more = True

    def widen(self, other: KeySet) -> None:
        self.formats |= other.formats
        self.open |= other.open
        self.more |= other.more
        for key in other.seen:
            self.add(key)

    @property
    def format(self) -> str:
        """The format as in :class:`djongo_services.introspection.report.MapKeys`."""
        if self.open:
            return "mixed" if self.formats else "identifier"
        return next(iter(self.formats)) if len(self.formats) == 1 else "mixed"


SAMPLED: Final = 0
FETCHED: Final = 1

Counts = defaultdict[str, int]


def _two_counts() -> tuple[Counts, Counts]:
    return defaultdict(int), defaultdict(int)


@dataclass(slots=True)
class Lengths:
    """Lengths of arrays: extremes, sum, and the number in each power-of-two class."""

    minimum: int = 0
    maximum: int = 0
    total: int = 0
    classes: dict[int, int] = field(default_factory=dict)

    @property
    def arrays(self) -> int:
        return sum(self.classes.values())

    def add(self, length: int) -> None:
        bound = length_class(length)
        self.join(length, length, length, bound, 1)

    def join(self, minimum: int, maximum: int, total: int, bound: int, arrays: int) -> None:
        """Add ``arrays`` arrays of one class with their extremes and their total length."""
        self.minimum = min(self.minimum, minimum) if self.classes else minimum
        self.maximum = max(self.maximum, maximum)
        self.total += total
        self.classes[bound] = self.classes.get(bound, 0) + arrays

    def merge(self, other: Lengths) -> None:
        if not other.classes:
            return
        self.minimum = min(self.minimum, other.minimum) if self.classes else other.minimum
        self.maximum = max(self.maximum, other.maximum)
        self.total += other.total
        for bound, arrays in other.classes.items():
            self.classes[bound] = self.classes.get(bound, 0) + arrays


def length_class(length: int) -> int:
    """The upper bound that names a length's class: 0, 1, 2, 4, 8, 16, ..."""
    return 1 << (length - 1).bit_length() if length else 0


@dataclass(slots=True, eq=False)
class Node:
    """The values at one path."""

    counts: tuple[Counts, Counts] = field(default_factory=_two_counts)
    """The number of values by refined BSON type name, for the sample and for what was fetched."""
    object: ObjectShape | None = None
    ref: ObjectShape | None = None
    """The fields of DBRefs, apart from those of other embedded documents."""
    array: ArrayShape | None = None

    @property
    def types(self) -> list[str]:
        """Every type, in the order of first appearance in the sample, followed by later ones."""
        return list(dict.fromkeys([*self.counts[SAMPLED], *self.counts[FETCHED]]))

    def seen(self, tally: int) -> int:
        return sum(self.counts[tally].values())

    @property
    def seen_at_all(self) -> int:
        return self.seen(SAMPLED) + self.seen(FETCHED)

    def merge(self, other: Node) -> None:
        """Add everything known about another node, which must not be used any more."""
        for mine, theirs in zip(self.counts, other.counts, strict=True):
            for name, count in theirs.items():
                mine[name] += count
        if other.object is not None:
            self.object = _merged(self.object, other.object)
        if other.ref is not None:
            self.ref = _merged(self.ref, other.ref)
        if other.array is not None:
            if self.array is None:
                self.array = other.array
            else:
                self.array.merge(other.array)


def _merged(mine: ObjectShape | None, theirs: ObjectShape) -> ObjectShape:
    if mine is None:
        return theirs
    mine.merge(theirs)
    return mine


@dataclass(slots=True, eq=False)
class ArrayShape:
    element: Node = field(default_factory=Node)
    lengths: tuple[Lengths, Lengths] = field(default_factory=lambda: (Lengths(), Lengths()))

    def merge(self, other: ArrayShape) -> None:
        self.element.merge(other.element)
        for mine, theirs in zip(self.lengths, other.lengths, strict=True):
            mine.merge(theirs)


@dataclass(slots=True, eq=False)
class MapShape:
    """The part of an object whose keys are data; once folded, it stays folded."""

    keys: KeySet
    value: Node = field(default_factory=Node)


@dataclass(slots=True, eq=False)
class ObjectShape:
    objects: list[int] = field(default_factory=lambda: [0, 0])
    """The number of objects, for the sample and for what was fetched."""
    fields: dict[bytes, Node] = field(default_factory=dict)
    map: MapShape | None = None
    checked_at: int = 0
    """The number of fields at the last check whether they are data."""

    @property
    def seen_at_all(self) -> int:
        return self.objects[SAMPLED] + self.objects[FETCHED]

    def node(self, key: bytes) -> Node:
        """The node for the value of a key, created if it is new."""
        found = self.fields.get(key)
        if found is not None:
            return found
        if self.map is not None and self.map.keys.accepts(key):
            self.map.keys.add(key)
            return self.map.value
        found = self.fields[key] = Node()
        return found

    def always(self, node: Node) -> bool:
        """Whether every object so far had the field."""
        return node.seen_at_all >= self.seen_at_all

    def fold(self, names: list[bytes], keys: KeySet) -> None:
        """Turn named fields into entries of the map, which is created if there is none."""
        if self.map is None:
            self.map = MapShape(keys=keys)
        else:
            self.map.keys.widen(keys)
        for name in names:
            self.map.keys.add(name)
            self.map.value.merge(self.fields.pop(name))

    def merge(self, other: ObjectShape) -> None:
        for tally, count in enumerate(other.objects):
            self.objects[tally] += count
        if other.map is not None:
            if self.map is None:
                self.map = other.map
            else:
                self.map.keys.widen(other.map.keys)
                self.map.value.merge(other.map.value)
        if self.map is not None:
            accepted = [name for name in self.fields if self.map.keys.accepts(name)]
            self.fold(accepted, self.map.keys)
        for name, node in other.fields.items():
            self.node(name).merge(node)


def objects_of(node: Node) -> Iterator[ObjectShape]:
    """The shapes of embedded documents directly at a node."""
    if node.object is not None:
        yield node.object
    if node.ref is not None:
        yield node.ref
