"""The common parts of the pages about documents: addresses, and links to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from djongo_services.admin.address import Address
from djongo_services.admin.collection_pages import CollectionPages
from djongo_services.admin.documents.keys import LONGEST_LINKED, LONGEST_SENT, DocumentId
from djongo_services.admin.documents.tree import Reader, is_hidden_key, key_text
from djongo_services.admin.pages import no_such


class DocumentPages(CollectionPages):
    def reader(self, request: HttpRequest, address: Address) -> Reader:
        return Reader(collection=address.collection, sees_secrets=self.may(request, "view_secrets"))

    def key(self, request: HttpRequest, address: Address, text: str) -> DocumentId:
        """The key of a document. Raises Http404 for an invalid key, and for one that only a sealed
        address may contain."""
        try:
            key, is_sealed = DocumentId.parse(text, context=address.key)
        except ValueError:
            raise no_such(_("document")) from None
        if not is_sealed and is_hidden_key(key.value, self.reader(request, address)):
            raise no_such(_("document"))
        return key

    def document_links(
        self, request: HttpRequest, address: Address
    ) -> Callable[[DocumentId | None], dict[str, Any]]:
        """The data of a document for a template: its ``text``, and for users who may see it the
        ``url``, or the ``token`` for a form if it is too long for a URL."""
        reader = self.reader(request, address)
        may_see = self.may_see_documents(request)
        url = self.collection_url(address, "document")

        def link(key: DocumentId | None) -> dict[str, Any]:
            if key is None:
                return {"text": _("without _id"), "action": url, "url": None, "token": None}
            value = key.value
            token = key_token(key, address, reader)
            return {
                "text": key_text(value, reader),
                "action": url,
                "url": f"{url}?id={token}" if may_see and is_linked(token) else None,
                "token": token if may_see and is_sent(token) else None,
                "is_too_long": len(token) > LONGEST_SENT,
            }

        return link


def key_token(key: DocumentId, address: Address, reader: Reader) -> str:
    is_sealed = is_hidden_key(key.value, reader)
    return key.text(is_sealed=is_sealed, context=address.key)


def is_linked(token: str) -> bool:
    return len(token) <= LONGEST_LINKED


def is_sent(token: str, longest: int = LONGEST_SENT) -> bool:
    """Whether a form must send it, and can."""
    return LONGEST_LINKED < len(token) <= longest


def sent(request: HttpRequest) -> QueryDict:
    """The parameters: from the URL, or from a form if they are too long for that."""
    return request.POST if request.method == "POST" else request.GET
