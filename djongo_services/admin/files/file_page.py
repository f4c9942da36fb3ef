"""The page of a file: its properties, integrity, references and preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.deadline import LONG_SECONDS, Deadline
from djongo_services.admin.files.address import BucketAddress, FileAddress, FoundFile, find_file
from djongo_services.admin.files.fates import trash_text
from djongo_services.admin.files.file_parts import FileParts
from djongo_services.admin.files.homes import home_of
from djongo_services.admin.files.rows import filename_text, moment_text, size_text
from djongo_services.admin.pages import no_such
from djongo_services.connections import connections
from djongo_services.formatting import count, extended_json, printable, shortened, size, value_text
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.errors import CorruptFile


class FilePage(FileParts):
    def page_urls(self) -> list[URLPattern]:
        check = require_POST(self.verify)
        return [
            self.page_url("<path:object_id>/change/", self.file, "change"),
            self.page_url("<path:object_id>/verify/", check, "verify"),
            *super().page_urls(),
        ]

    def file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of a file; the admin's log also links here for buckets."""
        self.require(request, "view")
        address = self.address(object_id)
        if isinstance(address, BucketAddress):
            return HttpResponseRedirect(self.page_of(address))
        return self._file(request, address, self.deadline(request, connections[address.alias]))

    def verify(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The same page, after reading every byte; it changes nothing."""
        self.require(request, "view")
        address = self.file_address(object_id)
        deadline = Deadline(connections[address.alias], LONG_SECONDS)
        return self._file(request, address, deadline, is_verified=True)

    def _file(
        self,
        request: HttpRequest,
        address: FileAddress,
        deadline: Deadline,
        *,
        is_verified: bool = False,
    ) -> HttpResponse:
        asked = deadline.ask(lambda database: find_file(database, address))
        if asked.trouble is None and asked.value is None:
            raise no_such(_("file"))
        context: dict[str, Any] = {"trouble": asked.trouble, "has_file": False}
        if asked.value is not None:
            context |= self._context(request, address, asked.value, deadline, is_verified)
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
        deadline: Deadline,
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
            "trash_fate": trash_text(found) if found.where == "trash" else "",
            "facts": facts(found),
            "home": home.label if home else None,
            "json": document_json(document or found.entry or {}),
            "actions": self._actions(request, address, found),
            "raw_url": self.page_of(address, "raw"),
            "download_url": self.page_of(address, "download"),
            "verify_url": self.page_of(address, "verify"),
            **self.parts(request, address, found, deadline, is_verified=is_verified),
        }

    def _actions(
        self, request: HttpRequest, address: FileAddress, found: FoundFile
    ) -> list[dict[str, Any]]:
        """The actions that this user may perform; those that another click undoes need no page of
        their own."""
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


LONGEST_TEXT = 300
MOST_ITEMS = 100
DEEPEST = 12


def facts(found: FoundFile) -> list[dict[str, str]]:
    document, stored = found.document, found.stored
    said = [
        _fact(_("Content type"), printable(stored.content_type)[:200] if stored else ""),
        _fact(_("Size"), _size(found)),
        _fact(_("Chunk size"), size_text(document.get("chunkSize")) if document else ""),
        _fact(_("Uploaded"), moment_text(document.get("uploadDate")) if document else ""),
        _fact(_("SHA-256"), _checksum(found), is_code=True),
        _fact(_("Id"), _id(found), is_code=True),
    ]
    if codecs := _codecs(document):
        said.append(_fact(_("Stored"), codecs))
    if aliases := _aliases(document):
        said.append(_fact(_("Further names"), aliases))
    return [fact for fact in said if fact["value"]]


def document_json(document: Mapping[str, Any]) -> str:
    """The JSON of a document; long texts, long lists and deep nesting are truncated to keep the
    page small."""
    return shortened(extended_json(_pruned(document, DEEPEST), indent=2), 100_000)


def _fact(name: str, value: str, *, is_code: bool = False) -> dict[str, Any]:
    return {"name": name, "value": value, "is_code": is_code}


def _id(found: FoundFile) -> str:
    return value_text((found.document or found.entry or {}).get("_id"), LONGEST_TEXT)


def _size(found: FoundFile) -> str:
    stored = found.stored
    if stored is None:
        return size_text(found.document.get("length", (found.entry or {}).get("bytes")))
    try:
        plain = plain_size(stored)
    except CorruptFile as error:
        return printable(str(error))
    exact = ngettext("%(count)s byte", "%(count)s bytes", plain) % {"count": count(plain)}
    text = f"{size(plain)} ({exact})"
    if plain == stored.length:
        return text
    return _("%(plain)s, stored as %(stored)s") % {"plain": text, "stored": size(stored.length)}


def _checksum(found: FoundFile) -> str:
    stored = found.stored
    return printable(stored.sha256 or "")[:100] if stored else ""


def _codecs(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    codecs = metadata.get("codecs") if isinstance(metadata, Mapping) else None
    if not isinstance(codecs, list):
        return ""
    names = [str(each.get("name")) for each in codecs[:5] if isinstance(each, Mapping)]
    return shortened(printable(", ".join(names)), LONGEST_TEXT)


def _aliases(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    aliases = metadata.get("aliases") if isinstance(metadata, Mapping) else None
    if not isinstance(aliases, list):
        return ""
    names = [str(each.get("name")) for each in aliases if isinstance(each, Mapping)]
    others = [name for name in names if name != document.get("filename")]
    shown = ", ".join(shortened(printable(name), 100) for name in others[:20])
    return shown if len(others) <= 20 else f"{shown}, …"


def _pruned(value: Any, depth: int) -> Any:
    match value:
        case str():
            return shortened(printable(value[: 2 * LONGEST_TEXT]), LONGEST_TEXT)
        case bytes():
            return value if len(value) <= LONGEST_TEXT else value_text(value)
        case Mapping() if depth:
            items = list(value.items())
            kept = {
                shortened(printable(name[: 2 * LONGEST_TEXT]), LONGEST_TEXT): _pruned(
                    each, depth - 1
                )
                for name, each in items[:MOST_ITEMS]
            }
            return kept if len(items) <= MOST_ITEMS else {**kept, "…": len(items) - MOST_ITEMS}
        case list() if depth:
            kept_items = [_pruned(each, depth - 1) for each in value[:MOST_ITEMS]]
            return kept_items if len(value) <= MOST_ITEMS else [*kept_items, "…"]
        case Mapping() | list():
            return "…"
    return value
