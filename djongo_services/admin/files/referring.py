"""Which objects refer to a file: what the collector asks whether there are any, asked which.

The sources are those of :func:`~djongo_services.storage.collector.references.find_references`, so
that nothing is shown as unused which the collector holds for used.
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

from djongo_services.admin.address import shown_name
from djongo_services.admin.files.address import BucketAddress
from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import value_text
from djongo_services.storage.collector.file_rows import names_of
from djongo_services.storage.collector.references import Source, find_references
from djongo_services.storage.collector.references.columns import ColumnSource
from djongo_services.storage.collector.references.documents import DocumentSource

MOST = 10
"""Objects of each source that are listed."""

AnyModel = type[models.Model]


@dataclass(frozen=True, kw_only=True, slots=True)
class Referrer:
    """A source that refers to the file."""

    label: str
    model: AnyModel | None
    """None where it is a function of the project."""
    objects: tuple[tuple[Any, str], ...] = ()
    """Primary keys and names."""
    is_more: bool = False


def find_referrers(address: BucketAddress, document: Mapping[str, Any]) -> list[Referrer]:
    """To be called in a thread of its own: its connections to databases are closed at the end.

    Raises ReferencesUnreadable, and what databases raise.
    """
    names = names_of(document)
    try:
        found = find_references(
            connections[address.alias].database_name,
            address.bucket,
            providers=settings.storage.references,
        )
        asked = (_referrer(source, names) for source in found.sources)
        return [referrer for referrer in asked if referrer is not None]
    finally:
        databases.close_all()


class ReferrerLinks:
    """Names and links for those who may see the objects; for others, that there are some."""

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
                {"text": text, "url": self._url(model, key)} for key, text in referrer.objects
            ]
            if may_see
            else [],
            "is_more": referrer.is_more,
        }

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


def _referrer(source: Source, names: Sequence[str]) -> Referrer | None:
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
    )


def _name(each: models.Model) -> str:
    try:
        return shown_name(str(each))
    except Exception:  # noqa: BLE001  (the project's own code may raise anything)
        return shown_name(str(each.pk))
