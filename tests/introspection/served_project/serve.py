"""Put each generated module that stdin brings into a project, and say what it does wrong.

A request is a line of JSON: ``{"text": ...}``. So is the answer: a list of sentences, which is
empty where the models serve the documents of the database.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import Any, cast

import django

django.setup()

from bson import ObjectId, decode, encode  # noqa: E402
from django.apps import AppConfig  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.admin import AdminSite, ModelAdmin  # noqa: E402
from django.contrib.admin.utils import quote  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.messages.storage.cookie import CookieStorage  # noqa: E402
from django.core import checks  # noqa: E402
from django.core.exceptions import ValidationError  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import models  # noqa: E402
from django.forms.models import ModelForm, modelform_factory  # noqa: E402
from django.http import QueryDict  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from djongo_services.connections import connections  # noqa: E402
from djongo_services.schema.applying import apply  # noqa: E402
from djongo_services.schema.mapping import from_document, to_document  # noqa: E402
from djongo_services.schema.syncing import list_violations, make_plan  # noqa: E402
from djongo_services.schema.target import select_specs, specs_for  # noqa: E402
from tests.introspection.modelling_project import differences, documented  # noqa: E402
from tests.introspection.served_project.apps import (  # noqa: E402
    administered,
    collections_of,
    enforced,
    installed,
)
from tests.introspection.served_project.pages import filled_in  # noqa: E402

PROJECT: Any = settings
IS_BACKEND: bool = PROJECT.IS_BACKEND
MOST_PAGES = 3
"""Documents of each collection whose pages are opened."""
_NOTED = (
    "djongo_services did not write it",
    "nothing in it is synchronised",
    "serves the same queries",
    "no model declares it",
)
"""What a plan tells and does nothing about; an index that no class says is a comment."""
_DRIFT = ("djongo_services.W006",)
"""The warning that the schema is not synchronised, which happens here."""
_BASE = dict(PROJECT.DJONGO_SERVICES)

Model = type[models.Model]


def serve(label: str, text: str) -> Iterator[str]:
    with installed(label, text) as config:
        yield from (f"check: {message}" for message in _checked(config))
        found = {model: _Served(model) for model in collections_of(config)}
        for served in found.values():
            yield from served.cleaned()
            yield from served.saved("before any validator")
        for rules in ("database", "model"):
            with enforced(label, rules, _BASE):
                yield from (f"{rules} rules: {problem}" for problem in _synced(label))
                for served in found.values():
                    yield from served.saved(f"under the {rules} rules")
        site = AdminSite()
        site.register(list(found), _Admin)
        with administered(site):
            for model, served in found.items():
                yield from served.pages(site._registry[model])
        with enforced(label, "model", _BASE):
            yield from (f"after the forms: {problem}" for problem in _synced(label))


def _checked(config: AppConfig) -> Iterator[str]:
    for message in checks.run_checks(app_configs=[config], databases=["default"]):
        if (
            message.id not in _DRIFT
            and not message.is_silenced()
            and message.level >= checks.WARNING
        ):
            yield str(message)


def _synced(label: str) -> Iterator[str]:
    """The first plan only writes validators that nothing violates, and the next is empty."""
    connection = connections["default"]
    database = connection.database
    specs = select_specs(specs_for(connection), [label])
    for violation in list_violations(database, specs, limit=2):
        reasons = [reason for each in violation.examples for reason in each.reasons]
        yield f"{violation.count} documents of {violation.collection} violate: {reasons}"
    plan = make_plan(database, specs)
    for change in plan.changes:
        if "validator" not in change.words or change.sign == "!":
            yield f"{change.collection}: {change.sign} {change.words}"
    for note in plan.notes:
        if not any(words in note.words for words in _NOTED):
            yield f"note: {note.collection}: {note.words}"
    for problem in plan.problems:
        if "treats such a name as a path" not in problem.reason:
            yield f"problem: {problem.subject}: {problem.reason}"
    apply(database, plan)
    again = make_plan(database, specs)
    yield from (f"second plan: {one.collection}: {one.words}" for one in again.changes)


class _Admin(ModelAdmin):
    """Reads what the ORM cannot, in projects of kind B, with PyMongo."""

    def get_object(self, request: Any, object_id: str, from_field: Any = None) -> Any:
        if IS_BACKEND:
            return super().get_object(request, object_id, from_field)
        return next(_Served(self.model).loaded())[1]


def _dangles(instance: models.Model, field: Any) -> bool:
    target = field.remote_field.model._base_manager
    value = getattr(instance, field.attname)
    return value is not None and not target.filter(**{field.target_field.name: value}).exists()


class _WithoutTable(ModelForm):
    def validate_unique(self) -> None:
        """In projects of kind B, the ORM has no table to query."""


class _Served:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.label = model.__name__
        kinds = connections["default"].database.list_collections(
            filter={"name": model._meta.db_table}
        )
        (info,) = kinds
        self.is_writable = info["type"] == "collection"
        self.is_capped = bool(info["options"].get("capped"))

    @property
    def collection(self) -> Any:
        # Changed settings bring a new client.
        return connections["default"].database[self.model._meta.db_table]

    def stored(self) -> list[dict[str, Any]]:
        return list(self.collection.find())

    def loaded(self) -> Iterator[tuple[dict[str, Any], models.Model]]:
        documents = self.stored()
        if IS_BACKEND:
            yield from zip(documents, self.model._base_manager.all(), strict=True)
        else:
            yield from ((each, from_document(self.model, each)) for each in documents)

    def cleaned(self) -> Iterator[str]:
        for document, instance in self.loaded():
            try:
                instance.full_clean(
                    exclude=self._unasked(instance),
                    validate_unique=False,
                    validate_constraints=False,
                )
            except ValidationError as error:
                yield f"{self.label} full_clean: {error} in {document}"

    def _unasked(self, instance: models.Model) -> set[str]:
        """Relations that dangle in the data, and in projects of kind B all: these have no tables to
        be looked up in."""
        found = [each for each in self.model._meta.fields if each.remote_field]
        return {each.name for each in found if not IS_BACKEND or _dangles(instance, each)}

    def saved(self, when: str) -> Iterator[str]:
        before = self.stored()
        if not IS_BACKEND:
            after = [to_document(from_document(self.model, each)) for each in before]
            # As the server returns it.
            options = self.collection.codec_options
            after = [decode(encode(each, codec_options=options), options) for each in after]
        else:
            if not self.is_writable:
                return
            for _, instance in self.loaded():
                instance.save()
            after = self.stored()
        yield from self._changes(before, after, f"saved {when}")

    def _changes(
        self, before: list[dict[str, Any]], after: list[dict[str, Any]], what: str
    ) -> Iterator[str]:
        if len(before) != len(after):
            yield f"{self.label} {what}: {len(before)} documents became {len(after)}"
            return
        for old, new in zip(before, after, strict=True):
            for change in differences(old, new):
                if not documented(change, before, style=PROJECT.SERVED_STYLE):
                    yield f"{self.label} {what}: {change}"

    def pages(self, admin: ModelAdmin[Any]) -> Iterator[str]:
        if IS_BACKEND:
            yield from self._page(f"{self.label} changelist", admin.changelist_view)[0]
        for count, (document, instance) in enumerate(self.loaded()):
            if count < MOST_PAGES:
                yield from self._form(document, instance)
                yield from self._change_page(admin, document, instance)

    def _form(self, document: dict[str, Any], instance: models.Model) -> Iterator[str]:
        base = ModelForm if IS_BACKEND else _WithoutTable
        form_class = modelform_factory(self.model, form=base, fields=self._in_forms())
        sent = filled_in(str(form_class(instance=instance).as_p()))
        form = form_class(_posted(sent), instance=instance)
        if not form.is_valid():
            yield f"{self.label} form: {form.errors.as_json()} of {document}"

    def _in_forms(self) -> list[str]:
        return [
            field.name
            for field in self.model._meta.fields
            if field.editable and (IS_BACKEND or not field.remote_field)
        ]

    def _change_page(
        self, admin: ModelAdmin[Any], document: dict[str, Any], instance: models.Model
    ) -> Iterator[str]:
        what = f"{self.label} change page"
        if not IS_BACKEND:
            admin.fields = self._in_forms()  # type: ignore[assignment,misc]
        key = quote(str(instance.pk))
        problems, html = self._page(what, admin.change_view, key)
        yield from problems
        if not IS_BACKEND or problems or not self.is_writable or self.is_capped:
            return
        before = self.collection.find_one({"_id": document["_id"]})
        sent = filled_in(html)
        problems, html = self._page(f"{what}, saved", admin.change_view, key, sent=sent)
        yield from problems
        after = self.collection.find_one({"_id": document["_id"]})
        for change in self._changes([before or {}], [after or {}], "in the admin"):
            # Django's form of a TextField knows no null, and the admin's clock no fractions.
            if not change.endswith(": None to ''") and ": datetime.datetime(" not in change:
                yield change

    def _page(
        self, what: str, view: Any, *arguments: Any, sent: dict[str, list[str]] | None = None
    ) -> tuple[list[str], str]:
        factory = RequestFactory()
        request: Any = factory.get("/admin/")
        if sent is not None:
            request = factory.post("/admin/")
            request.POST = _posted(sent)
            request._dont_enforce_csrf_checks = True
        request.user = _root()
        request._messages = CookieStorage(request)
        try:
            response = view(request, *arguments)
            if hasattr(response, "render"):
                response.render()
        except Exception:  # noqa: BLE001  (told to whoever asked)
            return [f"{what}: {traceback.format_exc()}"], ""
        html = response.content.decode()
        if sent is None and response.status_code != 200:
            return [f"{what}: {response.status_code} {response.headers}"], html
        if sent is not None and response.status_code != 302:
            errors = response.context_data["errors"]
            return [f"{what}: {list(errors)}"], html
        return [], html


def _posted(sent: dict[str, list[str]]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, values in sent.items():
        data.setlist(name, values)
    return data


_users: list[Any] = []


def _root() -> Any:
    if not _users:
        key = ObjectId() if IS_BACKEND else 1
        rights = {"is_superuser": True, "is_staff": True, "is_active": True}
        _users.append(get_user_model()(pk=cast("Any", key), username="root", **rights))
    return _users[0]


def _answer(number: int, line: str) -> list[str]:
    found: list[str] = []
    try:
        found.extend(serve(f"generated{number}", json.loads(line)["text"]))
    except Exception:  # noqa: BLE001  (told to whoever asked)
        found.append(traceback.format_exc())
    return found


def main(lines: Iterable[str]) -> None:
    if not IS_BACKEND:
        # The tables of the admin's own apps.
        call_command("migrate", run_syncdb=True, verbosity=0)
    for number, line in enumerate(lines):
        sys.stdout.write(json.dumps(_answer(number, line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.stdin)
