"""The result of a comparison, as plain values: one object that every renderer reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Sign = Literal["+", "~", "-"]
Severity = Literal["breaks", "new", "moved"]
Kind = Literal[
    "collection",
    "documents",
    "field",
    "type",
    "presence",
    "share",
    "length",
    "map",
    "enum",
    "reference",
    "index",
    "option",
    "validator",
    "rule",
]

SEVERITIES: Final[tuple[Severity, ...]] = ("breaks", "new", "moved")
"""The most severe first. ``breaks``: the models refuse it or cannot read it. ``new``: something was
added or removed. ``moved``: the same things in other proportions."""

LEVEL: Final = 0.01
"""The probability that a comparison of two samples of unchanged data reports any move at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One difference between the two sides."""

    collection: str
    kind: Kind
    sign: Sign
    severity: Severity
    subject: str = ""
    """A rendered path, or the name of an index or an option; empty for the collection itself."""
    detail: str = ""
    """The part of the subject: a type, the target of a reference, the keyword of a rule."""
    before: str | None = None
    """A phrase; None if there was nothing before."""
    after: str | None = None
    before_share: float | None = None
    """The share of a field's parents, or of the values in it: 0 to 1."""
    after_share: float | None = None
    models: str | None = None
    """What the models say, if it breaks them."""
    p: float | None = None
    """How often two samples of unchanged data differ this much, by the test of proportions; None if
    no sample is involved."""
    certain: bool = True
    """Whether it is more than chance in the samples. One that is not certain never fails a
    check."""
    accepted: str | None = None
    """The comment of the line that accepts it, perhaps empty; None if it is not accepted."""

    @property
    def counts(self) -> bool:
        """Whether it is a finding, and neither accepted nor possibly chance."""
        return self.certain and self.accepted is None

    def reaches(self, severity: Severity) -> bool:
        """Whether it counts and is at least this severe."""
        return self.counts and SEVERITIES.index(self.severity) <= SEVERITIES.index(severity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two things that were compared."""

    label: str
    """``baseline.json``, ``the connection 'archive'``, ``the models``."""
    database: str | None = None
    server: str | None = None
    """The version of the server."""
    inspected_at: datetime | None = None
    stopped: str | None = None
    """One sentence, if that report is partial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionDrift:
    """A collection with differences."""

    name: str
    models: tuple[str, ...] = ()
    """Labels of the models whose documents it contains."""
    before: str | None = None
    """What the figures of the first side are based on: ``sample of 1,000 of ...``; None if no
    document was read."""
    after: str | None = None
    differences: tuple[Difference, ...] = ()
    """In the order of the document, followed by references, indexes, options and validator."""
    notes: tuple[str, ...] = ()
    """Sentences about what could not be compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    before: Side
    after: Side
    collections: tuple[CollectionDrift, ...] = ()
    """The collections with differences or notes, by name."""
    compared: int = 0
    """The number of collections that were compared."""
    tests: int = 0
    """The number of tests of proportions."""
    tolerance: float = 0.0
    """Smaller changes of a share were not reported."""
    unused: tuple[str, ...] = ()
    """Lines of the file of accepted differences that matched none."""
    notes: tuple[str, ...] = ()
    """Sentences about what was not compared."""

    def differences(self) -> Iterator[Difference]:
        for collection in self.collections:
            yield from collection.differences

    def reaching(self, severity: Severity) -> list[Difference]:
        """The differences that count and are at least this severe."""
        return [found for found in self.differences() if found.reaches(severity)]

    @property
    def incomplete(self) -> list[str]:
        """The collections that could not be compared completely."""
        return [one.name for one in self.collections if one.notes]

    @property
    def has_drift(self) -> bool:
        return any(found.counts for found in self.differences())
