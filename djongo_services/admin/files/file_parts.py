"""What is told of a file beside itself: its chunks, revisions, references, and a look into it.

All of it is asked for at once, so that one thing that takes long does not keep the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.files.address import FileAddress
from djongo_services.admin.files.changing import revisions
from djongo_services.admin.files.finding import FoundFile
from djongo_services.admin.files.health import Health, Verified, look, verify
from djongo_services.admin.files.homes import bucket_storage
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.previews import preview
from djongo_services.admin.files.referring import ReferrerLinks, find_referrers
from djongo_services.admin.files.rows import moment_text, size_text
from djongo_services.admin.patience import Patience
from djongo_services.introspection.rendering.numbers import count

MOST_REVISIONS = 20
"""That are listed."""

Part: TypeAlias = Callable[[], dict[str, Any]]
"""Waits for what was asked, and gives it to the page."""


class FileParts(FilePages):
    def parts(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile,
        patience: Patience,
        *,
        is_verified: bool,
    ) -> dict[str, Any]:
        begun = [self._preview(address, found, patience)]
        if found.document:
            begun += [
                self._health(address, found, patience, is_verified),
                self._references(request, address, found, patience),
            ]
        if found.where == "bucket":
            begun.append(self._revisions(address, found, patience))
        context: dict[str, Any] = {}
        for part in begun:
            context |= part()
        return context

    def _preview(self, address: FileAddress, found: FoundFile, patience: Patience) -> Part:
        stored = found.stored
        if stored is None:
            return dict
        storage = bucket_storage(address.of_bucket)
        asked = patience.ask(lambda database: preview(storage, stored))
        return lambda: {"preview": asked.value, "preview_trouble": asked.trouble}

    def _health(
        self, address: FileAddress, found: FoundFile, patience: Patience, is_verified: bool
    ) -> Part:
        bucket, document = address.bucket, found.document
        looked = patience.ask(lambda database: look(database, bucket, document))
        checked = None
        if is_verified:
            checked = patience.ask(lambda database: verify(database, bucket, document))

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
        self, request: HttpRequest, address: FileAddress, found: FoundFile, patience: Patience
    ) -> Part:
        bucket, document = address.of_bucket, found.document
        asked = patience.ask(lambda database: find_referrers(bucket, document))

        def told() -> dict[str, Any]:
            if asked.value is None:
                return {"references_trouble": asked.trouble}
            links = ReferrerLinks(self.admin_site, request)
            return {"referrers": [links.context(each) for each in asked.value], "is_referred": True}

        return told

    def _revisions(self, address: FileAddress, found: FoundFile, patience: Patience) -> Part:
        filename = found.filename
        if not isinstance(filename, str):
            return dict
        asked = patience.ask(
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
        return _("Its length or its chunk size is no number of bytes.")
    if health.is_right:
        text = ngettext(
            "%(count)s, which is there.", "%(count)s, all of them there.", health.chunks
        )
        return text % {"count": count(health.chunks)}
    return _("%(there)s of %(expected)s are there.") % {
        "there": count(health.chunks),
        "expected": count(health.expected),
    }


def _verdict(checked: Verified) -> dict[str, Any]:
    if checked.problem is not None:
        return {"is_sound": False, "text": _("It is broken: %(why)s.") % {"why": checked.problem}}
    if checked.has_checksum:
        text = _("Every byte was read, and their SHA-256 is that of the stored ones.")
    else:
        text = _("Every byte was read; there is no SHA-256 to compare with.")
    return {"is_sound": True, "text": text}
