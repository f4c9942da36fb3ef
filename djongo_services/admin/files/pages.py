"""The common parts of the pages about files: addresses, frame, tabs, confirmations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import shown_name
from djongo_services.admin.deadline import Deadline, PageQuestion, T
from djongo_services.admin.files.address import (
    BucketAddress,
    FileAddress,
    FoundFile,
    Where,
    find_file,
    logged,
    parse,
)
from djongo_services.admin.files.referring import find_referrers
from djongo_services.admin.files.rows import filename_text
from djongo_services.admin.pages import ConnectionPages, no_such
from djongo_services.connections import connections
from djongo_services.formatting import printable
from djongo_services.models import File

TABS = ("bucket", "totals", "collector")
"""Names of the URLs of a bucket's pages."""


class FilePages(ConnectionPages):
    """The base of the classes that make up the admin of files."""

    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/history/", self.history_view, "history"),
            self.page_url("<path:object_id>/", self.to_page, "to_page"),
        ]

    def to_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        return HttpResponseRedirect(self.page_of(self.address(object_id)))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """The object of the history; whether it exists in the database is not checked."""
        address = parse(object_id, self.aliases())
        return None if address is None else File(key=address.key)

    def address(self, object_id: str) -> BucketAddress | FileAddress:
        """The address of a bucket or a file. Raises Http404 unless it names one on a connection."""
        address = parse(unquote(object_id), self.aliases())
        if address is None:
            raise no_such(_("file"))
        return address

    def bucket_address(self, object_id: str) -> BucketAddress:
        address = self.address(object_id)
        if not isinstance(address, BucketAddress):
            raise no_such(_("bucket"))
        return address

    def file_address(self, object_id: str) -> FileAddress:
        address = self.address(object_id)
        if not isinstance(address, FileAddress):
            raise no_such(_("file"))
        return address

    def page_of(
        self, address: BucketAddress | FileAddress, page: str | None = None, **query: str
    ) -> str:
        """The path of a page about a bucket or a file, by default its first one."""
        own = "change" if isinstance(address, FileAddress) else "bucket"
        url = self.url(page or own, quote(address.key))
        return f"{url}?{urlencode(query)}" if query else url

    def overview_url(self, alias: str) -> str:
        return self.database_url("changelist", alias)

    def bucket_page(
        self,
        request: HttpRequest,
        address: BucketAddress,
        template: str,
        context: Mapping[str, Any],
        *,
        status: int = 200,
    ) -> TemplateResponse:
        """A page below a bucket; ``tab`` in the context is its tab."""
        return self.render(
            request,
            f"files/{template}",
            {
                "title": address.shown,
                "address": address,
                "connection_name": shown_name(address.alias),
                "overview_url": self.overview_url(address.alias),
                "bucket_url": self.page_of(address),
                "history_url": self.page_of(address, "history"),
                "may_add": self.allows(request, "add"),
                "upload_url": self.url("add") + "?" + urlencode({"to": address.key}),
                "tabs": self._tabs(address, context.get("tab")),
                "wait_url": None if "wait" in request.GET else _waiting(request),
                "read_only": _is_answered(context) and takes_no_writes(address.alias),
                **context,
            },
            status=status,
        )

    def _tabs(self, address: BucketAddress, current: str | None) -> list[dict[str, Any]]:
        titles = {"bucket": _("Files"), "totals": _("Totals"), "collector": _("Collector")}
        return [
            {
                "title": titles[name],
                "url": self.page_of(address, name),
                "is_current": name == current,
            }
            for name in TABS
        ]


def takes_no_writes(alias: str) -> bool:
    """Whether none of the members that the client knows is a primary; no query is sent."""
    try:
        description = connections[alias].client.topology_description
    except ImproperlyConfigured:
        return False
    return not any(each.is_writable for each in description.server_descriptions().values())


def _is_answered(context: Mapping[str, Any]) -> bool:
    """Whether the page has queried the server, and got a result."""
    return "trouble" in context and context["trouble"] is None


def _waiting(request: HttpRequest) -> str:
    return "?" + urlencode({**request.GET.dict(), "wait": "1"})


def wants_json(request: HttpRequest) -> bool:
    """Whether the page's script sent the request."""
    return request.headers.get("Accept", "").startswith("application/json")


def sent_to(request: HttpRequest, url: str) -> HttpResponse:
    return JsonResponse({"url": url}) if wants_json(request) else HttpResponseRedirect(url)


class FileActions(FilePages):
    """The base of classes with one action each."""

    def found_for(
        self, address: FileAddress, deadline: Deadline, where: Where
    ) -> PageQuestion[FoundFile | None]:
        """Raises Http404 if the server has responded and the file does not exist."""
        asked = deadline.ask(lambda database: find_file(database, address))
        if asked.trouble is None and (asked.value is None or asked.value.where != where):
            raise no_such(_("file"))
        return asked

    def done_to_file(
        self,
        request: HttpRequest,
        address: FileAddress,
        name: str,
        asked: PageQuestion[T],
        *,
        log: str,
        said: str,
    ) -> HttpResponse:
        """Log and report what was done, and redirect to the file."""
        if asked.trouble is not None:
            self.message_user(request, asked.trouble, messages.ERROR)
        else:
            self.log_change(request, logged(address, name), log)
            self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(address))

    def log_deleted(self, request: HttpRequest, address: FileAddress, name: str) -> None:
        files: Any = [logged(address, name)]  # any iterable will do
        self.log_deletions(request, files)

    def file_confirmation(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile | None,
        context: dict[str, Any],
        *,
        trouble: str | None = None,
        wrong: Sequence[str] = (),
    ) -> HttpResponse:
        return self.bucket_page(
            request,
            address.of_bucket,
            "confirm.html",
            {
                "name": filename_text(found.filename) if found else None,
                "file_name": filename_text(found.filename) if found else _("File"),
                "bucket_name": address.of_bucket.shown,
                "file_url": self.page_of(address),
                "back": self.page_of(address),
                "trouble": trouble,
                "wrong": wrong,
                **context,
            },
            status=400 if wrong else 200,
        )

    def said_of_references(self, address: FileAddress, found: FoundFile, deadline: Deadline) -> str:
        """A sentence about the objects that refer to the file."""
        asked = deadline.ask(lambda database: find_referrers(address.of_bucket, found.document))
        if asked.value is None:
            return _("It could not be determined whether anything refers to it.")
        if not asked.value:
            return _("Nothing that the project knows refers to it.")
        labels = ", ".join(printable(each.label) for each in asked.value)
        return _("It is referred to by %(what)s.") % {"what": labels}
