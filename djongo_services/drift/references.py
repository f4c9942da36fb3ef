"""Differences of a collection's references: added, removed or broken ones."""

from __future__ import annotations

from djongo_services.drift.comparison import Difference, Severity, Sign
from djongo_services.drift.findings import Findings
from djongo_services.drift.proportions import Proportion, p_value
from djongo_services.formatting import count, percent
from djongo_services.introspection.path import render_path
from djongo_services.introspection.report import CollectionReport, Reference


def compare_references(
    collection: str, before: CollectionReport, after: CollectionReport, found: Findings
) -> None:
    """Add the differences to ``found``.

    References are found by values: one that was added or removed between two samples may be chance.
    A missing key is a fact, however few were looked up.
    """
    certain = _looked_up_all(before) and _looked_up_all(after)
    old = {_identity(one): one for one in before.references}
    new = {_identity(one): one for one in after.references}
    for identity in dict.fromkeys([*new, *old]):
        one, other = old.get(identity), new.get(identity)
        if one is None and other is not None:
            found.add(_difference(collection, other, "+", after=_words(other), certain=certain))
        elif one is not None and other is None:
            found.add(_difference(collection, one, "-", before=_words(one), certain=certain))
        elif one is not None and other is not None:
            _compare(collection, one, other, found)


def _compare(collection: str, one: Reference, other: Reference, found: Findings) -> None:
    p = p_value(_found(one), _found(other))
    broke = one.confidence == 1 and other.confidence < 1
    mended = one.confidence < 1 and other.confidence == 1
    if not broke and (
        one.confidence == other.confidence
        or (abs(one.confidence - other.confidence) < found.tolerance and not mended)
    ):
        found.tested(p)
        return
    is_fact = broke and one.complete
    found.moved(
        _difference(
            collection,
            other,
            "~",
            severity="new" if broke else "moved",
            before=_words(one),
            after=_words(other),
            shares=(one.confidence, other.confidence),
            p=None if is_fact else p,
        )
    )


def _looked_up_all(report: CollectionReport) -> bool:
    return report.profile is not None and report.profile.coverage.reached != "sample"


def _found(reference: Reference) -> Proportion:
    return Proportion(
        share=reference.confidence,
        units=float(reference.checked),
        correction=0.0 if reference.complete else 1.0,
    )


def _identity(reference: Reference) -> tuple[object, ...]:
    return reference.path, reference.target, reference.target_path, reference.kind


def _words(reference: Reference) -> str:
    if reference.found == reference.checked:
        return f"all of {count(reference.checked)} found"
    return f"{percent(reference.confidence)} of {count(reference.checked)} found"


def _difference(
    collection: str,
    reference: Reference,
    sign: Sign,
    *,
    severity: Severity = "new",
    before: str | None = None,
    after: str | None = None,
    shares: tuple[float | None, float | None] = (None, None),
    p: float | None = None,
    certain: bool = True,
) -> Difference:
    target = reference.target
    if reference.target_path != "_id":
        target = f"{target}.{reference.target_path}"
    return Difference(
        collection=collection,
        kind="reference",
        sign=sign,
        severity=severity,
        subject=render_path(reference.path),
        detail=target,
        before=before,
        after=after,
        before_share=shares[0],
        after_share=shares[1],
        p=p,
        certain=certain,
    )
