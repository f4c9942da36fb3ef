"""The objects that refer to a file: the collector only checks whether there are any.

The sources are those of :func:`~djongo_services.storage.collector.references.find_references`, so
that no file is shown as unused that the collector treats as used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db import connections as databases
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from djongo_services.admin.address import Address, shown_name
from djongo_services.admin.documents.keys import DocumentId
from djongo_services.admin.documents.pages import is_linked, key_token
from djongo_services.admin.documents.tree import Reader, key_text
from djongo_services.admin.files.address import BucketAddress
from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.formatting import printable, value_text
from djongo_services.storage.collector.decoding import names_of
from djongo_services.storage.collector.outlook import Outlook, outlook
from djongo_services.storage.collector.references import ReferenceSource, find_references
from djongo_services.storage.collector.references.finding import references_for
from djongo_services.storage.collector.references.lookups import ColumnSource, DocumentSource

MOST = 10
"""The maximum number of listed objects of each source."""

AnyModel = type[models.Model]


@dataclass(frozen=True, kw_only=True, slots=True)
class Referrer:
    """A source that refers to the file."""

    label: str
    model: AnyModel | None
    """The model; None if it is a function of the project."""
    objects: tuple[tuple[Any, str], ...] = ()
    """Primary keys and names."""
    place: Address | None = None
    """The collection whose documents the objects are, if they are known by their ``_id``."""
    is_more: bool = False


def find_referrers(address: BucketAddress, document: Mapping[str, Any]) -> list[Referrer]:
    """Call it in a thread of its own: its connections to databases are closed at the end.

    Raises ReferencesUnreadable, and what databases raise.
    """
    names = names_of(document)
    try:
        found = find_references(
            connections[address.alias].database_name,
            address.bucket,
            providers=settings.storage.references,
            search=False,  # It takes longer than a page may.
        )
        asked = (_referrer(source, names) for source in found.sources)
        return [referrer for referrer in asked if referrer is not None]
    finally:
        databases.close_all()


def find_outlook(address: BucketAddress, document: Mapping[str, Any]) -> Outlook:
    """What the collector would do with the file. Call it as :func:`find_referrers`."""
    connection = connections[address.alias]
    try:
        return outlook(
            connection.database,
            address.bucket,
            dict(document),
            # Texts are not searched, because it takes longer than a page may.
            references=references_for(connection, address.bucket, search=False),
            older_than=settings.storage.grace,
        )
    finally:
        databases.close_all()


class ReferrerLinks:
    """Names and links for users who may see the objects; for others, only that there are some."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request

    def context(self, referrer: Referrer) -> dict[str, Any]:
        model = referrer.model
        may_see = model is None or self._may_see(model)
        return {
            "label": printable(referrer.label),
            "may_see": may_see,
            "objects": [
                {
                    "text": text if may_see else self._key_text(referrer.place, key),
                    "url": self._url(model, key) if may_see else None,
                    "document_url": self._document_url(referrer.place, key),
                }
                for key, text in referrer.objects
            ]
            if may_see or self._may_see_documents(referrer.place)
            else [],
            "is_more": referrer.is_more,
        }

    def _may_see_documents(self, place: Address | None) -> bool:
        names = ("view_collection", "view_documents")
        user = self._request.user
        return place is not None and user.has_perms([f"djongo_services.{name}" for name in names])

    def _reader(self, place: Address) -> Reader:
        sees_secrets = self._request.user.has_perm("djongo_services.view_secrets")
        return Reader(collection=place.collection, sees_secrets=sees_secrets)

    def _key_text(self, place: Address | None, key: Any) -> str:
        """The document's key for users who may not see its object."""
        return "" if place is None else key_text(key, self._reader(place))

    def _document_url(self, place: Address | None, key: Any) -> str | None:
        """The address of the document's page, for users who may see documents."""
        if place is None or not self._may_see_documents(place):
            return None
        found = DocumentId.of_value(key)
        token = "" if found is None else key_token(found, place, self._reader(place))
        if not token or not is_linked(token):
            return None
        try:
            name = "admin:djongo_services_collection_document"
            url = reverse(name, args=[quote(place.key)], current_app=self._site.name)
        except NoReverseMatch:
            return None
        return f"{url}?id={token}"

    def _may_see(self, model: AnyModel) -> bool:
        found = self._site._registry.get(model)
        return found is not None and found.has_view_or_change_permission(self._request)

    def _url(self, model: AnyModel | None, key: Any) -> str | None:
        if model is None:
            return None
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            return reverse(name, args=[quote(str(key))], current_app=self._site.name)
        except NoReverseMatch:
            return None


def _referrer(source: ReferenceSource, names: Sequence[str]) -> Referrer | None:
    match source:
        case ColumnSource():
            held = list(source.naming.held(names))
            rows: models.QuerySet[Any] = models.QuerySet(source.model, using=source.alias)
            found = list(rows.filter(**{f"{source.field}__in": held})[: MOST + 1]) if held else []
            if not found:
                return None
            return Referrer(
                label=source.label,
                model=source.model,
                objects=tuple((each.pk, _name(each)) for each in found[:MOST]),
                is_more=len(found) > MOST,
            )
        case DocumentSource():
            return _of_documents(source, list(source.naming.held(names)))
        case _:
            used = source.referenced(list(names))
            return Referrer(label=source.label, model=None) if used else None


def _of_documents(source: DocumentSource, held: Sequence[str]) -> Referrer | None:
    if not held:
        return None
    model = apps.get_model(source.model)
    pk = model._meta.pk
    column = pk.column if pk is not None and pk.column else "_id"
    query = {source.path: {"$in": list(held)}}
    found = list(source.collection.find(query, {column: 1}, limit=MOST + 1))
    if not found:
        return None
    keys = [document.get(column) for document in found[:MOST]]
    named: dict[Any, str] = {}
    if source.alias in databases and databases[source.alias].vendor == "mongodb":
        rows: models.QuerySet[Any] = models.QuerySet(model, using=source.alias)
        named = {each.pk: _name(each) for each in rows.filter(pk__in=keys)}
    return Referrer(
        label=source.label,
        model=model,
        objects=tuple((key, named.get(key) or value_text(key)) for key in keys),
        is_more=len(found) > MOST,
        place=_place(source) if column == "_id" else None,
    )


def _place(source: DocumentSource) -> Address | None:
    """The address of the collection's pages that show the documents."""
    for name, configured in settings.connections.items():
        if source.alias in (configured.database, name if configured.database is None else None):
            return Address(alias=name, collection=source.collection.name)
    return None


def _name(each: models.Model) -> str:
    try:
        return shown_name(str(each))
    except Exception:  # noqa: BLE001  (the project's own code may raise anything)
        return shown_name(str(each.pk))
