"""The number of independent observations behind the counts of a profile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from djongo_services.drift.proportions import Proportion
from djongo_services.introspection.report import Coverage, Profile


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The sample that a profile, or a part of it, is based on."""

    scale: float
    """The ratio of sampled parents to counted parents."""
    most: float
    """The maximum number of independent observations. Elements of one array are similar, and so are
    the values of one map: a thousand of them in one document are one observation, not a
    thousand."""
    correction: float
    """``(N - n) / (N - 1)``: 0 if every document was counted."""
    proven: bool
    """Whether it is proven that no document has other fields or types."""

    @classmethod
    def of(cls, profile: Profile) -> Self:
        coverage = profile.coverage
        documents = profile.fields[0].parents if profile.fields else coverage.documents
        sampled = _sampled(coverage)
        if sampled is None:
            return cls(scale=1.0, most=float(documents), correction=0.0, proven=coverage.proven)
        return cls(
            scale=sampled / max(documents, 1),
            most=sampled,
            correction=(coverage.documents - sampled) / max(coverage.documents - 1, 1),
            proven=coverage.proven,
        )

    def inside(self, holders: int) -> Self:
        """The sample for the inside of this many arrays or maps."""
        return replace(self, most=min(self.most, holders * self.scale))

    def proportion(self, part: int, whole: int) -> Proportion:
        return Proportion(
            share=part / whole if whole else 0.0,
            units=min(whole * self.scale, self.most),
            correction=self.correction,
        )

    def knows_type(self, name: str) -> bool:
        """Whether it is proven that no value has a type that was not found.

        A schema proves it, except for the subtypes of binary values and references by DBRef, which
        are not types of a schema; if all documents were counted, each of them was read.
        """
        refined = name == "dbRef" or name.startswith("binData")
        return self.proven and not (refined and self.correction)


def _sampled(coverage: Coverage) -> float | None:
    """The number of documents in the random sample, from its margin of error; None if all were
    counted. Documents that were fetched because they were odd are not part of it."""
    documents, margin = coverage.documents, coverage.margin
    if not margin or documents < 2:
        return None
    worst = (1.96 * 0.5) ** 2
    return worst * documents / (margin**2 * (documents - 1) + worst)
