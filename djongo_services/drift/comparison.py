"""What a comparison found, as plain values: one object that every renderer reads."""

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
"""The gravest first. ``breaks``: the models refuse it or cannot read it. ``new``: something came or
went. ``moved``: the same things in other proportions."""

LEVEL: Final = 0.01
"""The chance that a comparison of two samples of unchanged data reports any move at all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is not as it was."""

    collection: str
    kind: Kind
    sign: Sign
    severity: Severity
    subject: str = ""
    """A rendered path, or the name of an index or an option; empty for the collection as such."""
    detail: str = ""
    """What of the subject: a type, the target of a reference, the keyword of a rule."""
    before: str | None = None
    """A phrase; None where there was nothing."""
    after: str | None = None
    before_share: float | None = None
    """The share of a field's parents, or of the values at it: 0 to 1."""
    after_share: float | None = None
    models: str | None = None
    """What the models say, where it breaks them."""
    p: float | None = None
    """How often two samples of unchanged data differ that much, by the test of proportions; None
    where no sample is involved."""
    certain: bool = True
    """Whether it is more than the samples allow. One that is not may be chance; it never fails
    a check."""
    accepted: str | None = None
    """The comment of the line that accepts it, perhaps empty; None where it is not accepted."""

    @property
    def counts(self) -> bool:
        """Whether it is a finding rather than something accepted or perhaps chance."""
        return self.certain and self.accepted is None

    def reaches(self, severity: Severity) -> bool:
        """Whether it counts and is at least that grave."""
        return self.counts and SEVERITIES.index(self.severity) <= SEVERITIES.index(severity)


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two things that were compared."""

    label: str
    """``baseline.json``, ``the connection 'archive'``, ``the models``."""
    database: str | None = None
    server: str | None = None
    """The version."""
    inspected_at: datetime | None = None
    stopped: str | None = None
    """One sentence when that report is partial."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionDrift:
    """A collection that differs."""

    name: str
    models: tuple[str, ...] = ()
    """Labels of those whose documents it holds."""
    before: str | None = None
    """How much stands behind the figures of the first side: ``sample of 1,000 of ...``; None
    where no document was read."""
    after: str | None = None
    differences: tuple[Difference, ...] = ()
    """The order of the document, then references, indexes, options, validator."""
    notes: tuple[str, ...] = ()
    """What of it could not be compared, a sentence each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    before: Side
    after: Side
    collections: tuple[CollectionDrift, ...] = ()
    """Those with differences or notes, by name."""
    compared: int = 0
    """Collections that were looked at."""
    tests: int = 0
    """Tests of proportions that were made."""
    tolerance: float = 0.0
    """Moves of a share that are smaller were not reported."""
    unused: tuple[str, ...] = ()
    """Lines of the file of accepted differences that met none."""
    notes: tuple[str, ...] = ()
    """What was not compared, a sentence each."""

    def differences(self) -> Iterator[Difference]:
        for collection in self.collections:
            yield from collection.differences

    def reaching(self, severity: Severity) -> list[Difference]:
        """Those that count and are at least that grave."""
        return [found for found in self.differences() if found.reaches(severity)]

    @property
    def incomplete(self) -> list[str]:
        """The collections of which something could not be compared."""
        return [one.name for one in self.collections if one.notes]

    @property
    def has_drift(self) -> bool:
        return any(found.counts for found in self.differences())
