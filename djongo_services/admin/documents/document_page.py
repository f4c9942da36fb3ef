"""The page of one document, and its download."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import read_collection
from djongo_services.admin.documents.choices import SHOWN_AS
from djongo_services.admin.documents.pages import (
    DocumentPages,
    is_linked,
    is_sent,
    key_token,
    sent,
)
from djongo_services.admin.documents.paging import WholeDocument, read_document
from djongo_services.admin.documents.tree import (
    ALONE,
    LONGEST_JSON,
    MODES,
    Reader,
    json_of,
    tree_of,
)
from djongo_services.admin.object_links import ObjectLinks
from djongo_services.admin.pages import no_such
from djongo_services.connections import connections
from djongo_services.formatting import size

_LARGEST_JSON: Final = 500_000
"""The size in bytes up to which a document's JSON is shown; larger ones can be downloaded."""


class DocumentPage(DocumentPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/document/", self.document, "document"),
            self.page_url("<path:object_id>/document/download/", self.download, "download"),
            *super().page_urls(),
        ]

    def document(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        self.require_documents(request)
        address = self.address(object_id)
        data = sent(request)
        key = self.key(request, address, data.get("id", ""))
        deadline = self.deadline(request, connections[address.alias])
        about = deadline.ask(read_collection(address.collection))
        asked = deadline.ask(partial(read_document, name=address.collection, key=key))
        if asked.trouble is None and asked.value is None:
            raise no_such(_("document"))
        reader = self.reader(request, address)
        shown_as = data.get("show", "")
        shown_as = shown_as if shown_as in SHOWN_AS else SHOWN_AS[0]
        token = key_token(key, address, reader)
        context: dict[str, Any] = {
            "link": self.document_links(request, address)(key),
            "object_url": ObjectLinks(
                self.admin_site, request, connections[address.alias], self.spec(address)
            ).url(key.value),
            "documents_url": self.collection_url(address, "documents"),
            "from_here_url": self.collection_url(address, "documents", before=token)
            if is_linked(token)
            else None,
            "views": self._views(address, token, shown_as),
            "downloads": self._downloads(address, token),
            "token": token if is_sent(token) else None,
            "page_trouble": asked.trouble if about.trouble is None else None,
            "wait_url": None
            if "wait" in data or not is_linked(token)
            else self.collection_url(address, "document", id=token, show=shown_as, wait="1"),
        }
        if asked.value is not None:
            context |= _shown(asked.value, reader, shown_as)
        return self.tab(
            request,
            address,
            "documents",
            about.value,
            about.trouble,
            context,
            template="document.html",
        )

    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The whole document as Extended JSON, always as an attachment."""
        self.require(request, "view")
        self.require_documents(request)
        address = self.address(object_id)
        data = sent(request)
        mode = data.get("show", "relaxed")
        if mode not in MODES:
            raise no_such(_("format"))
        key = self.key(request, address, data.get("id", ""))
        deadline = self.deadline(request, connections[address.alias])
        asked = deadline.ask(partial(read_document, name=address.collection, key=key))
        if asked.trouble is not None:
            return HttpResponse(asked.trouble, status=503, content_type="text/plain; charset=utf-8")
        if asked.value is None:
            raise no_such(_("document"))
        text = json_of(asked.value.document, self.reader(request, address), mode)
        response = HttpResponse(text + "\n", content_type="application/json")
        response["Content-Disposition"] = 'attachment; filename="document.json"'
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def _views(self, address: Address, token: str, shown_as: str) -> list[dict[str, Any]]:
        titles = {
            "tree": _("Tree"),
            "relaxed": _("Extended JSON"),
            "canonical": _("Canonical Extended JSON"),
        }
        return [
            {
                "name": name,
                "title": titles[name],
                "action": self.collection_url(address, "document"),
                "url": self.collection_url(address, "document", id=token, show=name)
                if is_linked(token)
                else None,
                "is_current": name == shown_as,
            }
            for name in SHOWN_AS
        ]

    def _downloads(self, address: Address, token: str) -> list[dict[str, Any]]:
        titles = {"relaxed": _("Extended JSON"), "canonical": _("Canonical Extended JSON")}
        return [
            {
                "name": name,
                "title": title,
                "action": self.collection_url(address, "download"),
                "url": self.collection_url(address, "download", id=token, show=name)
                if is_linked(token)
                else None,
            }
            for name, title in titles.items()
        ]


def _shown(found: WholeDocument, reader: Reader, shown_as: str) -> Mapping[str, Any]:
    told: dict[str, Any] = {"size": size(found.size), "is_read": True}
    if shown_as == "tree":
        tree = tree_of(found.document, reader, ALONE)
        return {**told, "tree": tree.html, "is_cut": tree.is_cut}
    if found.size > _LARGEST_JSON:
        return {**told, "is_too_large": True}
    text = json_of(found.document, reader, shown_as)
    return {**told, "json": text[:LONGEST_JSON], "is_cut": len(text) > LONGEST_JSON}
