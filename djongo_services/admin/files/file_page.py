"""A file: what it is, whether it is whole, who refers to it, and what it looks like."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from djongo_services.admin.files.address import BucketAddress, FileAddress
from djongo_services.admin.files.details import document_json, facts
from djongo_services.admin.files.file_parts import FileParts
from djongo_services.admin.files.finding import FoundFile, find_file
from djongo_services.admin.files.homes import home_of
from djongo_services.admin.files.rows import filename_text, moment_text
from djongo_services.admin.pages import no_such
from djongo_services.admin.patience import LONG_SECONDS, Patience
from djongo_services.connections import connections
from djongo_services.introspection.rendering.printable import printable


class FilePage(FileParts):
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
            **self.parts(request, address, found, patience, is_verified=is_verified),
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


def _trashed(found: FoundFile) -> dict[str, str] | None:
    if found.entry is None:
        return None
    reason = found.entry.get("reason")
    return {
        "kind": printable(str(found.entry.get("kind", "?")))[:60],
        "when": moment_text(found.entry.get("trashedAt")),
        "reason": printable(reason)[:300] if isinstance(reason, str) else "",
    }
