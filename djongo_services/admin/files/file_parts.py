"""The parts of a file's page: its chunks, revisions, references, and a preview.

All of them are queried at the same time, so that a slow one does not delay the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.http import HttpRequest
from django.utils.translation import gettext as _

from djongo_services.admin.deadline import Deadline, Mongo
from djongo_services.admin.files.address import FileAddress, FoundFile
from djongo_services.admin.files.buckets import chunks_of
from djongo_services.admin.files.changing import revisions
from djongo_services.admin.files.fates import fate_text
from djongo_services.admin.files.homes import bucket_storage
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.previews import preview
from djongo_services.admin.files.referring import ReferrerLinks, find_outlook, find_referrers
from djongo_services.admin.files.rows import moment_text, size_text
from djongo_services.formatting import count, printable
from djongo_services.storage.collector.decoding import (
    READ_AT_ONCE,
    WHOLE,
    checksum_of,
    expected_chunks,
)
from djongo_services.storage.collector.detectors.broken import problem

MOST_REVISIONS = 20
"""The maximum number of listed revisions."""

Part: TypeAlias = Callable[[], dict[str, Any]]
"""Waits for the result of a query, and returns it for the page."""


class FileParts(FilePages):
    def parts(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile,
        deadline: Deadline,
        *,
        is_verified: bool,
    ) -> dict[str, Any]:
        begun = [self._preview(address, found, deadline)]
        if found.document:
            begun += [
                self._health(address, found, deadline, is_verified),
                self._references(request, address, found, deadline),
            ]
        if found.where == "bucket":
            begun.append(self._revisions(address, found, deadline))
            begun.append(self._fate(address, found, deadline))
        context: dict[str, Any] = {}
        for part in begun:
            context |= part()
        return context

    def _preview(self, address: FileAddress, found: FoundFile, deadline: Deadline) -> Part:
        stored = found.stored
        if stored is None:
            return dict
        storage = bucket_storage(address.of_bucket)
        asked = deadline.ask(lambda database: preview(storage, stored))
        return lambda: {"preview": asked.value, "preview_trouble": asked.trouble}

    def _health(
        self, address: FileAddress, found: FoundFile, deadline: Deadline, is_verified: bool
    ) -> Part:
        bucket, document = address.bucket, found.document
        looked = deadline.ask(lambda database: look(database, bucket, document))
        checked = None
        if is_verified:
            checked = deadline.ask(lambda database: verify(database, bucket, document))

        def told() -> dict[str, Any]:
            context: dict[str, Any] = {"health_trouble": looked.trouble}
            if looked.value is not None:
                context |= {"health": _health_text(looked.value), "is_right": looked.value.is_right}
            if checked is not None:
                context["verified"] = checked.value and _verdict(checked.value)
                context["health_trouble"] = checked.trouble
            return context

        return told

    def _references(
        self, request: HttpRequest, address: FileAddress, found: FoundFile, deadline: Deadline
    ) -> Part:
        bucket, document = address.of_bucket, found.document
        asked = deadline.ask(lambda database: find_referrers(bucket, document))

        def told() -> dict[str, Any]:
            if asked.value is None:
                return {"references_trouble": asked.trouble}
            links = ReferrerLinks(self.admin_site, request)
            return {"referrers": [links.context(each) for each in asked.value], "is_referred": True}

        return told

    def _fate(self, address: FileAddress, found: FoundFile, deadline: Deadline) -> Part:
        bucket, document = address.of_bucket, found.document
        asked = deadline.ask(lambda database: find_outlook(bucket, document))

        def told() -> dict[str, Any]:
            if asked.value is None:
                return {"fate_trouble": asked.trouble}
            problem = asked.value.reason
            return {
                "fate": fate_text(asked.value),
                "is_garbage": asked.value.fate in ("waits", "goes"),
                "problem": printable(problem) if problem else "",
            }

        return told

    def _revisions(self, address: FileAddress, found: FoundFile, deadline: Deadline) -> Part:
        filename = found.filename
        if not isinstance(filename, str):
            return dict
        asked = deadline.ask(
            lambda database: revisions(database, address.bucket, filename, MOST_REVISIONS + 1)
        )

        def told() -> dict[str, Any]:
            others = asked.value or []
            if len(others) < 2:
                return {}
            return {
                "revisions": [
                    self._revision(address, each, is_current=not number)
                    for number, each in enumerate(others[:MOST_REVISIONS])
                ],
                "more_revisions": len(others) > MOST_REVISIONS,
                "is_current": others[0]["_id"] == address.id,
                "current_url": self.page_of(address, "current"),
            }

        return told

    def _revision(
        self, address: FileAddress, document: dict[str, Any], *, is_current: bool
    ) -> dict[str, Any]:
        own = address.of_bucket.file(document["_id"])
        return {
            "url": self.page_of(own) if own else None,
            "added": moment_text(document.get("uploadDate")),
            "size": size_text(document.get("length")),
            "is_this": document["_id"] == address.id,
            "is_current": is_current,
        }


def _health_text(health: Health) -> str:
    if health.expected is None:
        return _("Its length or chunk size is not a number of bytes.")
    return _("%(there)s of %(expected)s present.") % {
        "there": count(health.chunks),
        "expected": count(health.expected),
    }


def _verdict(checked: Verified) -> dict[str, Any]:
    if checked.problem is not None:
        return {"is_sound": False, "text": _("It is broken: %(why)s.") % {"why": checked.problem}}
    if checked.has_checksum:
        text = _("Every byte was read; the SHA-256 matches.")
    else:
        text = _("Every byte was read; there is no SHA-256 to compare with.")
    return {"is_sound": True, "text": text}


# Whether the chunks of a file exist, and whether they match what was stored.
@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """What the index of the chunks shows, without reading any of them."""

    chunks: int
    expected: int | None
    """The expected number; None if the files document's numbers make no sense."""

    @property
    def is_right(self) -> bool:
        return self.chunks == self.expected


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """The result of reading every byte."""

    problem: str | None
    """The problem as a phrase; None if there is none."""
    has_checksum: bool


def look(database: Mongo, bucket: str, document: Mapping[str, Any]) -> Health:
    chunks = chunks_of(database, bucket).count_documents({"files_id": {"$eq": document["_id"]}})
    return Health(chunks=chunks, expected=expected_chunks(document))


def verify(database: Mongo, bucket: str, document: Mapping[str, Any]) -> Verified:
    """Read all chunks, a few at a time."""
    chunks = chunks_of(database, bucket).find(
        {"files_id": {"$eq": document["_id"]}}, WHOLE, sort={"n": 1}, batch_size=READ_AT_ONCE
    )
    with chunks:
        found = problem(dict(document), chunks)
    return Verified(problem=found, has_checksum=checksum_of(document) is not None)
