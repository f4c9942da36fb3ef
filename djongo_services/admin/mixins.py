"""``MongoAdminMixin``: additions to any ModelAdmin of documents.

>>> @admin.register(Note)
... class NoteAdmin(MongoAdminMixin, admin.ModelAdmin): ...

The object's page shows its document as JSON, without the fields that the ModelAdmin excludes.
Errors of the collection's validator are shown beside the fields, like any other error of the form.
Saving is one transaction if the server supports transactions. In a project whose models are in SQL,
it changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, models, router
from django.db import connections as databases
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from pymongo.errors import PyMongoError

from djongo_services.admin.deadline import Deadline, Mongo
from djongo_services.admin.refusals import Refusal, complaints, refusal_details, sentences, told
from djongo_services.bson_decoding import LENIENT
from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import extended_json
from djongo_services.introspection.masking import masked_document
from djongo_services.introspection.reading.listing import list_collections
from djongo_services.middleware import non_atomic
from djongo_services.schema.declared import specs_by_name
from djongo_services.transaction import atomic

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = object

DOCUMENT = "mongo_document"
_ATTRIBUTE = "_djongo_services_refusal"
_REQUEST = "_djongo_services_request"


class MongoAdminMixin(_ModelAdmin):
    """A mixin to put before ``admin.ModelAdmin``."""

    @property
    def media(self) -> forms.Media:
        own = forms.Media(css={"all": ["djongo_services/admin/document.css"]})
        return super().media + own

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        if not self._shows_document(obj):
            return fields
        vars(obj)[_REQUEST] = request  # for mongo_document, which gets only the object
        return [*fields, DOCUMENT]

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
        assert connection is not None  # otherwise the field is not shown
        hidden = self._hidden_columns(vars(obj).get(_REQUEST), obj)
        text, trouble = document_text(connection, obj, without=hidden)
        if text is None:
            return trouble or str(_("This document no longer exists."))
        return format_html('<pre class="mongo-document" tabindex="0">{}</pre>', text)

    @non_atomic
    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().add_view(request, *args, **kwargs)

    @non_atomic
    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return super().change_view(request, *args, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """If the validator refuses, show the form again, outside of the transaction."""
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
            # The error does not contain the object.
            error._djongo_services_model = formset.model  # type: ignore[union-attr]
            raise

    def _saving(
        self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> tuple[Any, Refusal | None]:
        """The view's response, or the validator's refusal; then nothing was saved."""
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

    def _hidden_columns(self, request: HttpRequest | None, obj: Any) -> set[str]:
        """Columns that the object's page could show, but that its ModelAdmin excludes."""
        if request is None:  # In a list, where fields that depend on the request are unknown.
            request = HttpRequest()
            request.user = AnonymousUser()
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        possible = forms.fields_for_model(
            self.model, formfield_callback=partial(self.formfield_for_dbfield, request=request)
        )
        left_out = {*possible, *(self.get_exclude(request, obj) or ())}.difference(shown)
        columns = {field.name: field.column for field in self.model._meta.concrete_fields}
        return {columns[name] for name in left_out if name in columns}

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


# The document of an object of the ORM, and the rules of its collection.
LONGEST = 200_000
"""The maximum number of characters of a document's JSON on a page."""

Object = models.Model


def connection_of(model: type[models.Model], *, writing: bool = False) -> Connection | None:
    """The connection with the model's documents; None if the ORM stores rows."""
    alias = router.db_for_write(model) if writing else router.db_for_read(model)
    if databases[alias].vendor != "mongodb":
        return None
    for name, configured in settings.connections.items():
        if configured.database == alias:
            return connections[name]
    return None


def document_text(
    connection: Connection, obj: Object, *, without: Collection[str] = ()
) -> tuple[str | None, str | None]:
    """The stored document as JSON, and the error if it could not be read.

    Passwords, keys, tokens and similar values are not shown. Both results are None if there is no
    such document. The columns ``without`` are left out.
    """
    key, value = _key(connection, obj)

    def work(database: Mongo) -> Mapping[str, Any] | None:
        collection = database.get_collection(obj._meta.db_table, codec_options=LENIENT)
        return collection.find_one({key: {"$eq": value}})

    asked = Deadline(connection).ask(work)
    if asked.value is None:
        return None, asked.trouble
    shown = {name: value for name, value in asked.value.items() if name not in without}
    text = extended_json(masked_document(shown, obj._meta.db_table), indent=2)
    return (text if len(text) <= LONGEST else f"{text[:LONGEST]}\n…"), None


def validator_of(connection: Connection, model: type[models.Model]) -> Mapping[str, Any]:
    """The validator in force; empty if there is none or it is unknown."""
    name = model._meta.db_table
    asked = Deadline(connection).ask(lambda database: list_collections(database, [name]))
    for one in asked.value or ():
        if one.name == name:
            validator: Mapping[str, Any] = one.options.get("validator") or {}
            return validator
    return {}


def _key(connection: Connection, obj: Object) -> tuple[str, Any]:
    pk = obj._meta.pk
    assert pk is not None
    assert connection.settings.database is not None
    value = pk.get_db_prep_value(obj.pk, databases[connection.settings.database])
    return str(pk.column), value
