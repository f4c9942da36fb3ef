"""A comparison of two reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from djongo_services.drift.breaking import breaking
from djongo_services.drift.catalogs import compare_catalogs, unread_words
from djongo_services.drift.comparison import CollectionDrift, Comparison, Difference, Side
from djongo_services.drift.fields import compare_fields
from djongo_services.drift.findings import Findings
from djongo_services.drift.model_shapes import ModelShape
from djongo_services.drift.references import compare_references
from djongo_services.formatting import counted
from djongo_services.introspection.rendering.wording import coverage_text, documents_text, kind_text
from djongo_services.introspection.report import CollectionReport, Report
from djongo_services.schema.spec import CollectionSpec
from djongo_services.translation import english

TOLERANCE: Final = 0.01
"""Smaller changes of a share are not reported: live data is never quite the same."""

Specs = Mapping[str, CollectionSpec]


@english()  # It is written as JSON, and kept.
def compare(
    before: Report,
    after: Report,
    *,
    labels: tuple[str, str] = ("before", "after"),
    models: Specs | None = None,
    chosen: Callable[[str], bool] = lambda name: True,
    tolerance: float = TOLERANCE,
) -> Comparison:
    """What changed from ``before`` to ``after``, collection by collection.

    ``models``: the models' specs, by collection; a difference that they refuse breaks them.
    ``chosen`` returns for each name whether to compare it: a collection that was not inspected now
    did not disappear. ``tolerance`` is a share, 0 to 1. The time is linear in the fields of both
    reports.
    """
    return _Comparing(before, after, models or {}, chosen, tolerance).result(labels)


def side_of(report: Report, label: str) -> Side:
    return Side(
        label=label,
        database=report.database,
        server=report.server.version,
        inspected_at=report.inspected_at,
        stopped=report.stopped,
    )


class _Comparing:
    def __init__(
        self,
        before: Report,
        after: Report,
        models: Specs,
        chosen: Callable[[str], bool],
        tolerance: float,
    ) -> None:
        self.before = before
        self.after = after
        self.models = models
        self.found = Findings(tolerance=tolerance)
        self.old = {
            one.collection.name: one for one in before.collections if chosen(one.collection.name)
        }
        self.new = {
            one.collection.name: one for one in after.collections if chosen(one.collection.name)
        }

    def result(self, labels: tuple[str, str]) -> Comparison:
        names = sorted({*self.old, *self.new})
        for name in names:
            one, other = self.old.get(name), self.new.get(name)
            if one is not None and other is not None:
                self._compare(name, one, other)
            elif other is not None:
                self._came(name, other)
            elif one is not None:
                self._went(name, one)
        judged = self.found.judged()
        changed = [self._drift(name, judged.get(name, ())) for name in names]
        return Comparison(
            before=side_of(self.before, labels[0]),
            after=side_of(self.after, labels[1]),
            collections=tuple(one for one in changed if one.differences or one.notes),
            compared=len(names),
            tests=self.found.tests,
            tolerance=self.found.tolerance,
        )

    def _drift(self, name: str, differences: tuple[Difference, ...]) -> CollectionDrift:
        spec = self.models.get(name)
        return CollectionDrift(
            name=name,
            models=spec.models if spec is not None else (),
            before=_coverage(self.old.get(name)),
            after=_coverage(self.new.get(name)),
            differences=differences,
            notes=self.found.notes(name),
        )

    def _compare(self, name: str, one: CollectionReport, other: CollectionReport) -> None:
        self._documents(name, one, other)
        for difference in compare_catalogs(one.collection, other.collection):
            self.found.add(difference)
        for sentence in unread_words(one.collection, other.collection):
            self.found.note(name, sentence)

    def _documents(self, name: str, one: CollectionReport, other: CollectionReport) -> None:
        old, new = one.profile, other.profile
        if old is None or new is None:
            if old is not None or new is not None:
                side = "earlier" if old is None else "later"
                self.found.note(name, f"Fields not compared: the {side} side has not read them.")
            return
        shape = ModelShape.of(self.models.get(name))
        if not old.fields or not new.fields:
            if old.fields or new.fields:
                sign: Final = "-" if old.fields else "+"
                before, after = documents_text(one) or "", documents_text(other) or ""
                self.found.add(
                    Difference(
                        collection=name,
                        kind="documents",
                        sign=sign,
                        severity="new",
                        before=before if sign == "-" else None,
                        after=after if sign == "+" else None,
                    )
                )
            if new.fields:
                self._add_breaking(name, other, shape)
            return
        compare_fields(old, new, shape, self.found)
        compare_references(name, one, other, self.found)

    def _came(self, name: str, report: CollectionReport) -> None:
        self.found.add(
            Difference(
                collection=name,
                kind="collection",
                sign="+",
                severity="new",
                after=_collection_words(report),
            )
        )
        self._add_breaking(name, report, ModelShape.of(self.models.get(name)))

    def _add_breaking(self, name: str, report: CollectionReport, shape: ModelShape) -> None:
        if report.profile is not None and shape:
            for difference in breaking(name, report.profile, shape):
                self.found.add(difference)

    def _went(self, name: str, report: CollectionReport) -> None:
        spec = self.models.get(name)
        went = Difference(
            collection=name,
            kind="collection",
            sign="-",
            severity="new",
            before=_collection_words(report),
        )
        if spec is not None and report.profile is not None and report.profile.fields:
            went = replace(went, severity="breaks", models="keep their documents in it")
        self.found.add(went)


def _coverage(report: CollectionReport | None) -> str | None:
    if report is None or report.profile is None:
        return None
    return coverage_text(report.profile.coverage)


def _collection_words(report: CollectionReport) -> str:
    kind, profile = kind_text(report.collection), report.profile
    if profile is None:
        return kind
    documents = documents_text(report) or "unknown number of documents"
    return f"{kind} of {documents}, {counted(sum(1 for _ in profile.walk()), 'field')}"
