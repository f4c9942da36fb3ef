"""A file: what it is, whether it is whole, who refers to it, and what it looks like."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.files.address import BucketAddress, FileAddress
from djongo_services.admin.files.changing import revisions
from djongo_services.admin.files.details import document_json, facts
from djongo_services.admin.files.finding import FoundFile, find_file
from djongo_services.admin.files.health import Health, Verified, look, verify
from djongo_services.admin.files.homes import bucket_storage, home_of
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.previews import preview
from djongo_services.admin.files.referring import ReferrerLinks, find_referrers
from djongo_services.admin.files.rows import filename_text, moment_text, size_text
from djongo_services.admin.pages import no_such
from djongo_services.admin.patience import LONG_SECONDS, Patience
from djongo_services.connections import connections
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable

MOST_REVISIONS = 20
"""That are listed."""


class FilePage(FilePages):
    def page_urls(self) -> list[URLPattern]:
        check = require_POST(self.verify)
        return [
            self.page_url("<path:object_id>/change/", self.file, "change"),
            self.page_url("<path:object_id>/verify/", check, "verify"),
            *super().page_urls(),
        ]

    def file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The admin's log links here for buckets too."""
        self.require(request, "view")
        address = self.address(object_id)
        if isinstance(address, BucketAddress):
            return HttpResponseRedirect(self.page_of(address))
        return self._file(request, address, self.patience(request, connections[address.alias]))

    def verify(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The same page, after reading every byte; nothing is changed by it."""
        self.require(request, "view")
        address = self.file_address(object_id)
        patience = Patience(connections[address.alias], LONG_SECONDS)
        return self._file(request, address, patience, is_verified=True)

    def _file(
        self,
        request: HttpRequest,
        address: FileAddress,
        patience: Patience,
        *,
        is_verified: bool = False,
    ) -> HttpResponse:
        asked = patience.ask(lambda database: find_file(database, address))
        if asked.trouble is None and asked.value is None:
            raise no_such(_("file"))
        context: dict[str, Any] = {"trouble": asked.trouble, "has_file": False}
        if asked.value is not None:
            context |= self._context(request, address, asked.value, patience, is_verified)
        return self.bucket_page(
            request,
            address.of_bucket,
            "file.html",
            {
                "title": _("File"),
                "bucket_name": address.of_bucket.shown,
                "history_url": self.page_of(address, "history"),
                **context,
            },
        )

    def _context(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile,
        patience: Patience,
        is_verified: bool,
    ) -> dict[str, Any]:
        bucket, document = address.of_bucket, found.document
        filename = found.filename
        home = home_of(bucket, filename) if isinstance(filename, str) else None
        return {
            "title": filename_text(filename),
            "full_name": printable(filename) if isinstance(filename, str) else "",
            "has_file": bool(document),
            "where": found.where,
            "trashed": _trashed(found),
            "facts": facts(found),
            "home": home.label if home else None,
            "json": document_json(document or found.entry or {}),
            "actions": self._actions(request, address, found),
            "raw_url": self.page_of(address, "raw"),
            "download_url": self.page_of(address, "download"),
            "verify_url": self.page_of(address, "verify"),
            **self._health(address, found, patience, is_verified),
            **self._revisions(address, found, patience),
            **self._references(request, address, found, patience),
            **self._preview(address, found, patience),
        }

    def _actions(
        self, request: HttpRequest, address: FileAddress, found: FoundFile
    ) -> list[dict[str, Any]]:
        """What this user may do to it; what is undone by another click needs no page of its own."""
        may_change, may_delete = self.allows(request, "change"), self.allows(request, "delete")
        in_trash = found.where == "trash"
        known = (
            ("replace", _("Replace"), may_change and not in_trash),
            ("rename", _("Rename"), may_change and not in_trash),
            ("delete", _("Delete"), may_delete and not in_trash),
            ("restore", _("Restore"), may_change and in_trash),
            ("purge", _("Delete for good"), may_delete and in_trash),
        )
        return [
            {
                "title": title,
                "url": self.page_of(address, name),
                "is_post": name == "restore",
                "is_grave": name in ("delete", "purge"),
            }
            for name, title, is_possible in known
            if is_possible
        ]

    def _revisions(
        self, address: FileAddress, found: FoundFile, patience: Patience
    ) -> dict[str, Any]:
        filename = found.filename
        if found.where != "bucket" or not isinstance(filename, str):
            return {}
        asked = patience.ask(
            lambda database: revisions(database, address.bucket, filename, MOST_REVISIONS + 1)
        )
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

    def _health(
        self, address: FileAddress, found: FoundFile, patience: Patience, is_verified: bool
    ) -> dict[str, Any]:
        if not found.document:
            return {}
        looked = patience.ask(lambda database: look(database, address.bucket, found.document))
        context: dict[str, Any] = {"health_trouble": looked.trouble}
        if looked.value is not None:
            context |= {"health": health_text(looked.value), "is_right": looked.value.is_right}
        if is_verified:
            checked = patience.ask(
                lambda database: verify(database, address.bucket, found.document)
            )
            context |= {"verified": checked.value and _verdict(checked.value)}
            context["health_trouble"] = checked.trouble
        return context

    def _references(
        self, request: HttpRequest, address: FileAddress, found: FoundFile, patience: Patience
    ) -> dict[str, Any]:
        if not found.document:
            return {}
        asked = patience.ask(lambda database: find_referrers(address.of_bucket, found.document))
        if asked.value is None:
            return {"references_trouble": asked.trouble}
        links = ReferrerLinks(self.admin_site, request)
        return {"referrers": [links.context(each) for each in asked.value], "is_referred": True}

    def _preview(
        self, address: FileAddress, found: FoundFile, patience: Patience
    ) -> dict[str, Any]:
        stored = found.stored
        if stored is None:
            return {}
        storage = bucket_storage(address.of_bucket)
        asked = patience.ask(lambda database: preview(storage, stored))
        return {"preview": asked.value, "preview_trouble": asked.trouble}


def health_text(health: Health) -> str:
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


def _trashed(found: FoundFile) -> dict[str, str] | None:
    if found.entry is None:
        return None
    reason = found.entry.get("reason")
    return {
        "kind": printable(str(found.entry.get("kind", "?")))[:60],
        "when": moment_text(found.entry.get("trashedAt")),
        "reason": printable(reason)[:300] if isinstance(reason, str) else "",
    }
