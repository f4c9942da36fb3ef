"""The model field for a path in documents, and the page that describes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.admin import AdminSite
from django.db import models
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from djongo_services.connections import Connection
from djongo_services.introspection.path import Path
from djongo_services.schema.mapping import document_path
from djongo_services.schema.spec import CollectionSpec

AnyModelClass = type[models.Model]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelField:
    label: str
    """``archive.Note.author``."""
    url: str | None
    """The address of the model's page in Django's admindocs, otherwise of its objects in the
    admin."""


class ModelFields:
    """The fields of the models that share a collection."""

    def __init__(
        self,
        site: AdminSite,
        request: HttpRequest,
        connection: Connection,
        spec: CollectionSpec | None,
    ) -> None:
        self._links = _ModelLinks(site, request)
        backend = connection.settings.database is not None
        self._models = [apps.get_model(label) for label in spec.models] if spec is not None else []
        self._fields: dict[str, tuple[AnyModelClass, Any]] = {}
        for model in reversed(self._models):
            for field in model._meta.concrete_fields:
                place = document_path(field, backend=backend, model=model)
                self._fields[place] = (model, field)

    def of(self, path: Path) -> ModelField | None:
        """The field at a path; None if no model has one."""
        names = [step for step in path if isinstance(step, str)]
        for length in range(min(len(names), 2), 0, -1):  # a composite key is at _id.name
            found = self._fields.get(".".join(names[:length]))
            if found is not None:
                model, field = found
                named = [field.name, *_below(field, names[length:])]
                return self._links.of(model, ".".join(named))
        return None

    def model(self, text: str) -> ModelField | None:
        """The model for rules that concern it as a whole, such as a constraint; ``text`` names
        it."""
        return self._links.of(self._models[0], text) if self._models else None


class _ModelLinks:
    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request
        self._known: dict[AnyModelClass, str | None] = {}

    def of(self, model: AnyModelClass, name: str) -> ModelField:
        if model not in self._known:
            self._known[model] = self._described(model) or self._listed(model)
        return ModelField(label=f"{model._meta.label}.{name}", url=self._known[model])

    def _described(self, model: AnyModelClass) -> str | None:
        if not apps.is_installed("django.contrib.admindocs"):
            return None
        arguments = [model._meta.app_label, model._meta.model_name]
        try:
            return reverse("django-admindocs-models-detail", args=arguments)
        except NoReverseMatch:
            return None

    def _listed(self, model: AnyModelClass) -> str | None:
        found = self._site._registry.get(model)
        if found is None or not found.has_view_or_change_permission(self._request):
            return None
        meta = model._meta
        try:
            name = f"admin:{meta.app_label}_{meta.model_name}_changelist"
            return reverse(name, current_app=self._site.name)
        except NoReverseMatch:
            return None


def _below(field: Any, names: list[str]) -> Iterator[str]:
    """The names of fields of embedded models, as far as they are known."""
    for name in names:
        field = next(
            (
                one
                for model in _embedded(field)
                for one in model._meta.get_fields()
                if getattr(one, "column", None) == name
            ),
            None,
        )
        if field is None:
            return
        yield str(field.name)


def _embedded(field: Any) -> list[Any]:
    """The models whose instances the field contains, alone or in an array."""
    if field is None:
        return []
    if (model := getattr(field, "embedded_model", None)) is not None:
        return [model]
    if (several := getattr(field, "embedded_models", None)) is not None:
        return list(several)
    return _embedded(getattr(field, "base_field", None))
