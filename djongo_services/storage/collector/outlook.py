"""What the collector would do with one file, judged as in a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pymongo.database import Database

from djongo_services.storage.collector.bson_order import sort_key
from djongo_services.storage.collector.collections import BucketCollections
from djongo_services.storage.collector.decoding import (
    ScannedFile,
    bytes_of,
    expected_chunks,
    names_of,
)
from djongo_services.storage.collector.detectors.age import GracePeriod, Verdict
from djongo_services.storage.collector.detectors.files import Judge
from djongo_services.storage.collector.detectors.superseded import Revisions
from djongo_services.storage.collector.kinds import Candidate, Kind
from djongo_services.storage.collector.references import References
from djongo_services.storage.collector.scan import Window, scope_of

LARGEST = 32 * 1024 * 1024
Fate = Literal["used", "unsure", "kept", "excluded", "waits", "goes"]
"""``unsure``: the collector cannot find out whether it is used; ``kept``: broken, and possibly in
use; ``waits``: garbage within the grace period; ``goes``: the next run collects it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    fate: Fate
    kind: Kind | None = None
    """The kind of garbage as which it is kept, waits or will be collected."""
    reason: str = ""
    """What is wrong with a broken file, as a phrase."""
    since: datetime | None = None
    """The beginning of the grace period: its last activity, or the date of a newer revision."""
    due: datetime | None = None
    """The end of the grace period."""


@dataclass(kw_only=True, slots=True)
class _VerdictOfOne(Verdict):
    """A verdict that remembers the reasons for its counts."""

    candidate: Candidate | None = None
    until: datetime | None = None

    def add(self, candidate: Candidate, until: datetime | None, grace: GracePeriod) -> None:
        self.candidate, self.until = candidate, until
        Verdict.add(self, candidate, until, grace)


def outlook(
    database: Database[Any],
    bucket: str,
    document: dict[str, Any],
    *,
    references: References,
    older_than: timedelta,
) -> Outlook:
    """What the collector would do with a file in the bucket. Changes nothing, and does not search
    texts.

    Up to LARGEST bytes the sizes of chunks are compared, beyond that only their number, because the
    server would read the whole file. Raises ReferencesUnreadable, and PyMongo's errors.
    """
    collections = BucketCollections.of(database, bucket)
    scope = scope_of(collections, references, only=(), verify=False)
    row = ScannedFile(sort_key(document["_id"]), document["_id"], names_of(document))
    judge = Judge(
        collections,
        references,
        kinds=scope.kinds,
        asked=scope.asked,
        grace=GracePeriod(end=collections.now() - older_than, undated_stay=False),
        read=False,
        revisions=Revisions(collections),
    )
    verdict = _VerdictOfOne()
    suspects = [row.id] if _is_suspect(collections, document, sized=scope.sized) else []
    judge.judge(Window(rows=[row], suspects=suspects, is_last=True), verdict)
    if verdict.kept:
        (broken,) = verdict.kept
        return Outlook(fate="kept", kind=broken.kind, reason=broken.reason)
    if verdict.excluded:
        return Outlook(fate="excluded")
    found = verdict.candidate
    if found is None:
        return Outlook(fate="used" if references.referenced(set(row.names)) else "unsure")
    return Outlook(
        fate="waits" if verdict.young else "goes",
        kind=found.kind,
        reason=found.reason,
        since=verdict.until,
        due=None if verdict.until is None else _later(verdict.until, older_than),
    )


def _is_suspect(collections: BucketCollections, document: dict[str, Any], *, sized: bool) -> bool:
    """Whether its chunks are checked individually; only then can it be called broken."""
    if sized and bytes_of(document.get("length")) <= LARGEST:
        return True
    chunks = collections.chunks.count_documents({"files_id": {"$eq": document["_id"]}})
    return chunks != expected_chunks(document)


def _later(when: datetime, age: timedelta) -> datetime:
    try:
        return when + age
    except OverflowError:  # A date that was made up.
        return datetime.max.replace(tzinfo=when.tzinfo)
