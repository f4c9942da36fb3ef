"""The files of a bucket, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.deadline import Deadline, Mongo
from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.buckets import files_of, trash_of
from djongo_services.admin.files.filters import FOUND, Filters
from djongo_services.admin.files.findings import found_rows, list_found
from djongo_services.admin.files.listing import (
    AT_ONCE,
    ListedFiles,
    ListIndexes,
    ListPosition,
    list_files,
)
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.rows import (
    FileRow,
    file_row,
    files_text,
    moment_text,
    projection,
    trash_projection,
)
from djongo_services.admin.files.searching import choices, messages_about
from djongo_services.admin.files.totals import Known, count_totals, known_totals
from djongo_services.connections import connections
from djongo_services.formatting import count, printable

Document = dict[str, Any]

SMALL = 2_000
"""The number of files up to which their types are read for the form, if they were never counted:
about 10 ms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileList:
    """The data for one page of the list."""

    listed: ListedFiles
    indexes: ListIndexes
    estimate: int
    """The number of files in the bucket, or in its trash, from the server's metadata."""
    known: Known


class ListPage(FilePages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/files/", self.files, "bucket"),
            *super().page_urls(),
        ]

    def files(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.bucket_address(object_id)
        filters = Filters.of(request.GET.dict())
        token = request.GET.get("p", "")
        place = ListPosition.of(token) if token else None
        deadline = self.deadline(request, connections[address.alias])
        if filters.state in FOUND:
            return self._found_files(request, address, filters, place, deadline)
        is_patient = "wait" in request.GET
        asked = deadline.ask(
            lambda database: read_list(
                database, address, filters, place, at_once=None if is_patient else AT_ONCE
            )
        )
        number = None
        if "count" in request.GET and asked.value is not None:
            counted = deadline.ask(lambda database: count_matching(database, address, filters))
            number = _("not counted in time") if counted.value is None else count(counted.value)
        found = asked.value
        return self.bucket_page(
            request,
            address,
            "bucket.html",
            {
                "tab": "bucket",
                "trouble": asked.trouble,
                "filters": filters,
                "choices": choices(address, filters, found.known if found else Known()),
                "is_narrowed": not filters.is_everything,
                "clear_url": Filters(state=filters.state).url() if filters.query else "?",
                "number": number,
                "count_url": filters.url(count="1"),
                **self._bulk(request, address, filters),
                **(self._found(address, filters, found, is_first=place is None) if found else {}),
            },
        )

    def _found_files(
        self,
        request: HttpRequest,
        address: BucketAddress,
        filters: Filters,
        place: ListPosition | None,
        deadline: Deadline,
    ) -> HttpResponse:
        """The files that the last dry run found."""
        asked = deadline.ask(lambda database: list_found(database, address.bucket, filters, place))
        context: dict[str, Any] = {
            "tab": "bucket",
            "trouble": asked.trouble,
            "filters": filters,
            "choices": choices(address, filters, Known()),
            "is_found": True,
            "is_narrowed": bool(filters.begins),
            "clear_url": Filters(state=filters.state).url(),
            "collector_url": self.page_of(address, "collector"),
            **self._bulk(request, address, filters),
        }
        if (found := asked.value) is not None:
            context |= {
                "rows": [self._links(row) for row in found_rows(address, found)],
                "surveyed": moment_text(found.survey.finished) if found.survey else None,
                "is_first": place is None,
                "first_url": filters.url(),
                "next_url": filters.url(p=found.next.token) if found.next else None,
            }
        return self.bucket_page(request, address, "bucket.html", context)

    def _found(
        self, address: BucketAddress, filters: Filters, found: FileList, *, is_first: bool
    ) -> dict[str, Any]:
        rows = [_row(address, filters, each) for each in found.listed.documents]
        following = found.listed.next
        return {
            "rows": [self._links(row) for row in rows],
            "estimate": files_text(found.estimate),
            "is_first": is_first,
            "first_url": filters.url(),
            "next_url": filters.url(p=following.token) if following else None,
            "further_url": (
                filters.url(p=following.token, wait="1")
                if following and found.listed.looked_at
                else None
            ),
            "said": messages_about(filters, found.indexes, found.listed),
        }

    def _bulk(
        self, request: HttpRequest, address: BucketAddress, filters: Filters
    ) -> dict[str, Any]:
        """The actions that this user may perform on selected files, and on all files in the
        list."""
        may_change, may_delete = self.allows(request, "change"), self.allows(request, "delete")
        in_trash = filters.state == "trash"
        known = (
            ("restore", _("Restore"), in_trash and may_change),
            ("purge", _("Delete for good"), in_trash and may_delete),
            ("delete", _("Delete"), not in_trash and may_delete),
        )
        return {
            "bulk_url": self.page_of(address, "bulk"),
            "bulk_query": urlencode(filters.query),
            "bulk_actions": [
                {"value": name, "title": title, "is_grave": name != "restore"}
                for name, title, is_possible in known
                if is_possible
            ],
            "may_take_all": filters.state not in FOUND,
        }

    def _links(self, row: FileRow) -> dict[str, Any]:
        if row.address is None:
            return {"row": row, "url": None, "picture_url": None}
        return {
            "row": row,
            "url": self.page_of(row.address),
            "picture_url": self.page_of(row.address, row.picture) if row.picture else None,
        }


def read_list(
    database: Mongo,
    address: BucketAddress,
    filters: Filters,
    place: ListPosition | None,
    *,
    at_once: int | None,
) -> FileList:
    """A page of files, with at most 6 commands, however many files there are."""
    files = files_of(database, address.bucket)
    trash = trash_of(database, address.bucket)
    is_trash = filters.state == "trash"
    indexes = ListIndexes.of(files)
    listed = list_files(
        trash if is_trash else files,
        filters,
        trash_projection() if is_trash else projection(),
        indexes=indexes,
        place=place,
        prefix="file." if is_trash else "",
        at_once=at_once,
    )
    estimate = (trash if is_trash else files).estimated_document_count()
    known = known_totals(database, [address.bucket]).get(address.bucket, Known())
    if known.totals is None and not is_trash and estimate <= SMALL:
        known = Known(totals=count_totals(files))
    return FileList(listed=listed, indexes=indexes, estimate=estimate, known=known)


def count_matching(database: Mongo, address: BucketAddress, filters: Filters) -> int:
    """The number of matching files, which may take as long as reading all of them."""
    if filters.state == "trash":
        query = filters.conditions("file.", names=True)
        return trash_of(database, address.bucket).count_documents(query)
    query = filters.conditions(names=True)
    return files_of(database, address.bucket).count_documents(query)


def _row(address: BucketAddress, filters: Filters, document: Document) -> FileRow:
    if filters.state != "trash":
        return file_row(address, document)
    kind, reason = document.get("kind") or "?", document.get("reason")
    note = _("%(kind)s, since %(when)s") % {
        "kind": printable(kind),
        "when": moment_text(document.get("trashedAt")),
    }
    return file_row(address, document, note=f"{note}: {printable(reason)}" if reason else note)
