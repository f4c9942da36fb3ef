"""``MongoAdminMixin``: what any ModelAdmin of documents can have more.

>>> @admin.register(Note)
... class NoteAdmin(MongoAdminMixin, admin.ModelAdmin): ...

The object's page shows its document as JSON, and what the collection's validator refuses is said
beside the field, as any other mistake in the form is. Saving is one transaction where the server
has transactions. On a project whose models are in SQL, it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import DatabaseError, models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from pymongo.errors import PyMongoError

from djongo_services.admin.declarations import specs_by_name
from djongo_services.admin.documents import connection_of, document_text, validator_of
from djongo_services.admin.refusals import complaints, refusal_details
from djongo_services.admin.refused_forms import Refusal, sentences, told
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.middleware import non_atomic
from djongo_services.transaction import atomic

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = object

DOCUMENT = "mongo_document"
_ATTRIBUTE = "_djongo_services_refusal"


class MongoAdminMixin(_ModelAdmin):
    """Put it before ``admin.ModelAdmin``."""

    @property
    def media(self) -> forms.Media:
        own = forms.Media(css={"all": ["djongo_services/admin/document.css"]})
        return super().media + own

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return [*fields, DOCUMENT] if self._shows_document(obj) else fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        if not self._shows_document(obj) or any(
            DOCUMENT in _flat(options["fields"]) for name, options in fieldsets if name is not None
        ):
            return fieldsets
        rest = [
            (name, {**options, "fields": _without(options["fields"])})
            for name, options in fieldsets
        ]
        own = {"fields": [DOCUMENT], "classes": ["collapse"]}
        return [*rest, (_("Document in MongoDB"), own)]

    @admin.display(description=_("JSON"))
    def mongo_document(self, obj: Any) -> str:
        connection = connection_of(type(obj))
        assert connection is not None  # else the field is not shown
        text, trouble = document_text(connection, obj)
        if text is None:
            return trouble or str(_("There is no such document any more."))
        return format_html('<pre class="mongo-document" tabindex="0">{}</pre>', text)

    @non_atomic
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().add_view(request, *args, **kwargs)

    @non_atomic
    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().change_view(request, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """When the validator refuses, the form is shown again, outside of the transaction."""
        response, refusal = self._saving(request, super().changeform_view, *args, **kwargs)
        if refusal is None:
            return response
        setattr(request, _ATTRIBUTE, refusal)
        return super().changeform_view(request, *args, **kwargs)

    @non_atomic
    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response, refusal = self._saving(request, super().changelist_view, *args, **kwargs)
        if refusal is None:
            return response
        for text in sentences(refusal.model, refusal.complaints, self.model):
            self.message_user(request, text, messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        refusal: Refusal | None = getattr(request, _ATTRIBUTE, None)
        return form if refusal is None else told(form, refusal, self.model)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        try:
            super().save_formset(request, form, formset, change)
        except (DatabaseError, PyMongoError) as error:
            # Which object it is about, the error does not say.
            error._djongo_services_model = formset.model  # type: ignore[union-attr]
            raise

    def _saving(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> tuple[Any, Refusal | None]:
        """The view's response, or what the validator had against it; then nothing was saved."""
        connection = connection_of(self.model, writing=True)
        if connection is None or request.method != "POST":
            return view(request, *args, **kwargs), None
        try:
            with _transaction(connection):
                return view(request, *args, **kwargs), None
        except (DatabaseError, PyMongoError) as error:
            details = refusal_details(error)
            if details is None:
                raise
            model = getattr(error, "_djongo_services_model", self.model)
        checks = _checks(connection, model)
        found = tuple(complaints(details, validator_of(connection, model), checks))
        return None, Refusal(model=model, complaints=found)

    def _shows_document(self, obj: Any) -> bool:
        return obj is not None and obj.pk is not None and connection_of(type(obj)) is not None


def _transaction(connection: Connection) -> AbstractContextManager[Any]:
    if not connection.abilities.transactions:
        return nullcontext()
    return atomic(connection.alias)


def _checks(connection: Connection, model: type[models.Model]) -> Any:
    try:
        spec = specs_by_name(connection).get(model._meta.db_table)
    except DjongoServicesError:
        return {}
    return spec.checks if spec is not None else {}


def _flat(fields: Sequence[Any]) -> list[Any]:
    return [name for one in fields for name in (one if isinstance(one, list | tuple) else [one])]


def _without(fields: Sequence[Any]) -> list[Any]:
    return [one for one in fields if one != DOCUMENT]
