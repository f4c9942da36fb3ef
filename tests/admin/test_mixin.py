"""``MongoAdminMixin``: the document as JSON, and the validator's refusals in the form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.admin.conftest import Page, Site, read


@pytest.fixture
def shelf(root: Site) -> Iterator[Any]:
    """The database of the ORM, with the validators that the models ask for."""
    from djongo_services.connections import connections
    from djongo_services.schema.applying import apply
    from djongo_services.schema.syncing import make_plan
    from djongo_services.schema.target import select_specs, specs_for

    database = connections["default"].database
    specs = select_specs(specs_for(connections["default"]), ["shelf"])
    for spec in specs:
        database.drop_collection(spec.name)
    apply(database, make_plan(database, specs))
    yield database
    for spec in specs:
        database.drop_collection(spec.name)


def stricter(database: Any, name: str, **properties: Any) -> None:
    """A validator that requires more than the model, as one written by hand may."""
    validator = {"$jsonSchema": {"properties": properties}}
    database.command("collMod", name, validator=validator)


def errors(page: Page) -> list[str]:
    found = re.findall(r'(?s)<ul class="errorlist[^"]*"[^>]*>(.*?)</ul>', page.html)
    return [read(one) for one in found]


TOME = "/admin/shelf/tome/"
SHELF = "/admin/shelf/shelf/"


def test_the_document_as_json(root: Site, shelf: Any) -> None:
    from tests.admin.shelf.models import Tome

    tome = Tome.objects.create(title="<b>Bold</b>", pages=3)
    shelf.shelf_tome.update_one({"_id": tome.pk}, {"$set": {"unknown": [1, 2]}})
    page = root.get(f"{TOME}{tome.pk}/change/")
    assert "Document in MongoDB" in page.text
    assert f'"_id": {{ "$oid": "{tome.pk}" }}' in page.text
    assert '"unknown": [ 1, 2 ]' in page.text
    assert '"title": "<b>Bold</b>"' in page.text  # as text
    assert "<b>Bold" not in page.html
    assert "document.css" in page.html


LEAVE_OUT: list[dict[str, Any]] = [
    {"exclude": ["pages"]},
    {"fields": ["title", "read"]},
    {"fieldsets": [("", {"fields": [("title", "read")]})]},
    {"form": "exclude"},
    {"form": "fields"},
    {"exclude": ["pages"], "fields": ["title", "read", "mongo_document"]},
    {"get_exclude": lambda self, request, obj=None: ["pages"]},
    {"get_fields": lambda self, request, obj=None: ["title", "read"]},
]


@pytest.mark.parametrize("options", LEAVE_OUT, ids=" ".join)
def test_what_the_admin_leaves_out_is_not_in_the_json(
    root: Site, shelf: Any, monkeypatch: Any, options: dict[str, Any]
) -> None:
    from django import forms

    from tests.admin.shelf.admin import TomeAdmin
    from tests.admin.shelf.models import Tome

    tome = Tome.objects.create(title="A", pages=4711)
    shelf.shelf_tome.update_one({"_id": tome.pk}, {"$set": {"unknown": [1, 2]}})
    assert '"pages": 4711' in root.get(f"{TOME}{tome.pk}/change/").text
    if "form" in options:
        given = {"exclude": ["pages"]} if options["form"] == "exclude" else {"fields": ["title"]}
        Meta = type("Meta", (), {"model": Tome, **given})
        options = {"form": type("TomeForm", (forms.ModelForm,), {"Meta": Meta})}
    for name, value in options.items():
        monkeypatch.setattr(TomeAdmin, name, value)
    page = root.get(f"{TOME}{tome.pk}/change/")
    assert page.status == 200
    assert '"title": "A"' in page.text
    assert '"unknown": [ 1, 2 ]' in page.text
    assert "4711" not in page.html


def test_what_is_read_only_is_in_the_json(root: Site, shelf: Any, monkeypatch: Any) -> None:
    from tests.admin.shelf.admin import TomeAdmin
    from tests.admin.shelf.models import Tome

    tome = Tome.objects.create(title="A", pages=4711)
    monkeypatch.setattr(TomeAdmin, "readonly_fields", ["pages"])
    assert '"pages": 4711' in root.get(f"{TOME}{tome.pk}/change/").text
    monkeypatch.setattr(TomeAdmin, "has_change_permission", lambda *args: False)
    assert '"pages": 4711' in root.get(f"{TOME}{tome.pk}/change/").text


def test_the_json_in_a_list(root: Site, shelf: Any, monkeypatch: Any) -> None:
    from tests.admin.shelf.admin import TomeAdmin
    from tests.admin.shelf.models import Tome

    Tome.objects.create(title="A", pages=4711)
    for name, value in {
        "list_display": ["title", "mongo_document"],
        "list_editable": [],
        "exclude": ["pages"],
    }.items():
        monkeypatch.setattr(TomeAdmin, name, value)
    page = root.get(TOME)
    assert '"title": "A"' in page.text
    assert "4711" not in page.html


def test_a_new_object_has_none_yet(root: Site, shelf: Any) -> None:
    assert "Document in MongoDB" not in root.get(f"{TOME}add/").text


def test_a_huge_document_is_cut(root: Site, shelf: Any) -> None:
    from tests.admin.shelf.models import Tome

    tome = Tome.objects.create(title="big")
    shelf.shelf_tome.update_one({"_id": tome.pk}, {"$set": {"body": "x" * 2_000_000}})
    assert len(root.get(f"{TOME}{tome.pk}/change/").html) < 300_000


def test_a_refusal_is_said_at_the_field(root: Site, shelf: Any) -> None:
    stricter(shelf, "shelf_tome", pages={"bsonType": ["int", "long"], "minimum": 10})
    page = root.post(f"{TOME}add/", title="A", pages="3", read="0")
    assert page.status == 200
    assert errors(page) == ["3 breaks minimum 10"]
    assert 'aria-invalid="true"' in page.html
    assert 'value="A"' in page.html  # what was typed is still there
    assert shelf.shelf_tome.count_documents({}) == 0
    assert root.log() == []
    assert root.post(f"{TOME}add/", title="A", pages="30", read="0").status == 302


def test_a_refused_change(root: Site, shelf: Any) -> None:
    from tests.admin.shelf.models import Tome

    tome = Tome.objects.create(title="A", pages=30)
    stricter(shelf, "shelf_tome", title={"bsonType": "string", "pattern": "^A"})
    page = root.post(f"{TOME}{tome.pk}/change/", title="B", pages="30", read="0")
    assert errors(page) == ["'B' does not match '^A'"]
    tome.refresh_from_db()
    assert tome.title == "A"
    # The document is shown as it is, not as it was to be.
    assert '"title": "A"' in page.text


def test_several_fields_and_what_no_field_has(root: Site, shelf: Any) -> None:
    validator = {
        "$jsonSchema": {
            "required": ["colour"],
            "properties": {"title": {"maxLength": 3}, "pages": {"maximum": 9}},
        }
    }
    shelf.command("collMod", "shelf_tome", validator=validator)
    page = root.post(f"{TOME}add/", title="Long", pages="10", read="0")
    assert sorted(errors(page)) == sorted(
        ["'Long' breaks maxLength 3", "10 breaks maximum 9", "colour: is missing"]
    )


def test_a_constraint_speaks_its_own_words(root: Site, shelf: Any) -> None:
    """The form checks it first; a request that bypasses the form is refused by the server."""
    from django.db.models import Model

    from tests.admin.shelf.models import Tome

    assert "$and" in shelf.shelf_tome.options()["validator"]
    original, Tome.validate_constraints = Tome.validate_constraints, lambda *a, **k: None
    try:
        page = root.post(f"{TOME}add/", title="A", pages="3", read="4")
    finally:
        Tome.validate_constraints = original
        assert Tome.validate_constraints is Model.validate_constraints
    assert errors(page) == ["Nobody reads more pages than there are."]


def test_inlines_are_saved_with_their_parent_or_not_at_all(root: Site, shelf: Any) -> None:
    stricter(shelf, "shelf_tome", pages={"minimum": 10})
    rows: dict[str, Any] = {
        "tome_set-TOTAL_FORMS": "1",
        "tome_set-INITIAL_FORMS": "0",
        "tome_set-MIN_NUM_FORMS": "0",
        "tome_set-MAX_NUM_FORMS": "1000",
        "tome_set-0-title": "A",
        "tome_set-0-pages": "3",
        "tome_set-0-read": "0",
    }
    page = root.post(f"{SHELF}add/", name="S", **rows)
    assert "Tome: pages: 3 breaks minimum 10" in errors(page)
    assert shelf.shelf_shelf.count_documents({}) == 0
    saved = root.post(f"{SHELF}add/", name="S", **{**rows, "tome_set-0-pages": "30"})
    assert saved.status == 302
    assert shelf.shelf_shelf.count_documents({}) == shelf.shelf_tome.count_documents({}) == 1


def test_changes_in_the_list(root: Site, shelf: Any) -> None:
    from tests.admin.shelf.models import Tome

    tome = Tome.objects.create(title="A", pages=30)
    stricter(shelf, "shelf_tome", pages={"minimum": 10})
    rows = {
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": str(tome.pk),
        "form-0-pages": "3",
        "_save": "Save",
    }
    page = root.post(TOME, follow=True, **rows)
    assert "Pages: 3 breaks minimum 10" in page.text
    tome.refresh_from_db()
    assert tome.pages == 30


def test_other_errors_are_not_hidden(root: Site, shelf: Any) -> None:
    from tests.transaction.conftest import failing

    refused = {"errorCode": 8000, "namespace": f"{shelf.name}.shelf_tome"}
    with failing(shelf.client, "insert", times=1, **refused):
        assert root.post(f"{TOME}add/", title="A", pages="3", read="0").status == 500


def test_models_of_sql_are_left_alone(django_sql: Any) -> None:
    done = django_sql(
        "tests/admin/mixin_on_sql.py",
        code="import sys; exec(open(sys.argv[1]).read())",
        settings="tests.admin.settings_sql",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "200 302 False"
