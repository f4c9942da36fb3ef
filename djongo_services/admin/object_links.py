"""Links from documents to the pages of their objects in the admin."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.utils import quote
from django.db import models, router
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from djongo_services.connections import Connection
from djongo_services.schema.spec import CollectionSpec


class ObjectLinks:
    """Links for one collection: to the first of its models whose objects this user may see here."""

    def __init__(
        self,
        site: AdminSite,
        request: HttpRequest,
        connection: Connection,
        spec: CollectionSpec | None,
    ) -> None:
        self._site = site
        self._model = next(
            (
                model
                for model in _models(connection, spec)
                if self._may_be_seen(site, model, request)
            ),
            None,
        )

    def url(self, document_id: Any) -> str | None:
        """The link; None if no page shows the document."""
        if self._model is None:
            return None
        meta = self._model._meta
        try:
            return reverse(
                f"admin:{meta.app_label}_{meta.model_name}_change",
                args=[quote(str(document_id))],
                current_app=self._site.name,
            )
        except NoReverseMatch:
            return None

    @staticmethod
    def _may_be_seen(site: AdminSite, model: type[models.Model], request: HttpRequest) -> bool:
        found: ModelAdmin[Any] | None = site._registry.get(model)
        return found is not None and found.has_view_or_change_permission(request)


def _models(connection: Connection, spec: CollectionSpec | None) -> list[type[models.Model]]:
    """The models that the ORM stores in this database with the document's own key."""
    shared = connection.settings.database
    if spec is None or shared is None:
        return []
    found = [apps.get_model(label) for label in spec.models]
    return [
        model
        for model in found
        if router.db_for_read(model) == shared
        and model._meta.pk is not None
        and model._meta.pk.column == "_id"
    ]
