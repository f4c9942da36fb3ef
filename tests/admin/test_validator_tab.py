"""The Validator tab: rules to read, and the documents that break them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.admin.conftest import Site, rows

VALIDATOR = {
    "$and": [
        {
            "$jsonSchema": {
                "required": ["title", "elsewhere"],
                "properties": {
                    "title": {"bsonType": "string", "minLength": 1, "description": "Its name"},
                    "kind": {"enum": ["a", "b", None]},
                    "sizes": {
                        "bsonType": "array",
                        "items": {"bsonType": ["int", "long"], "minimum": 0},
                    },
                    "inner": {
                        "bsonType": "object",
                        "required": ["deep"],
                        "properties": {"deep": {"bsonType": "date"}},
                        "additionalProperties": False,
                    },
                },
            }
        },
        {"$expr": {"$lte": ["$from", "$to"]}},
    ]
}


@pytest.fixture
def notes(root: Site) -> Any:
    notes = root.database.create_collection("notes", validator=VALIDATOR, validationAction="error")
    notes.insert_one({"_id": "good", "title": "t", "elsewhere": 1, "from": 1, "to": 2})
    raw = notes.with_options()
    raw.insert_one({"_id": "bad", "title": 7}, bypass_document_validation=True)
    return notes


def test_rules_are_readable(root: Site, notes: Any) -> None:
    page = root.get(root.collection("notes", "validator"))
    assert "strict Level error Action" in page.text or "Level strict Action error" in page.text
    assert rows(page.html) == [
        "title required string minLength: 1 Its name",
        'kind enum: "a", "b", null',
        "sizes array",
        "[] int, long minimum: 0",
        "inner object",
        "deep required date",
        "no other field",
        "elsewhere required",
    ]
    assert '{"$expr": {"$lte": ["$from", "$to"]}}' in page.text


def test_violators_are_counted_and_listed(root: Site, notes: Any) -> None:
    page = root.get(root.collection("notes", "validator"))
    assert "1 document violates the validator." in page.text
    assert '"bad"' in page.text
    assert "title: is" not in page.text


def test_reasons_are_told_when_asked_for(root: Site, notes: Any) -> None:
    before = sorted(root.database.list_collection_names())
    page = root.post(root.collection("notes", "validator_explain"))
    assert page.status == 200
    assert "title: is int, must be string" in page.text
    assert "elsewhere missing" in page.text
    # What was made for that is gone again.
    assert sorted(root.database.list_collection_names()) == before


def test_no_violator(root: Site, notes: Any) -> None:
    notes.delete_one({"_id": "bad"})
    page = root.get(root.collection("notes", "validator"))
    assert "No document violates the validator." in page.text
    assert "Tell the reasons" not in page.text


def test_more_than_are_listed(root: Site, notes: Any) -> None:
    notes.insert_many([{"n": n} for n in range(30)], bypass_document_validation=True)
    page = root.get(root.collection("notes", "validator"))
    assert "31 documents violate the validator." in page.text
    assert "The first 20 are listed." in page.text


def test_counting_that_takes_too_long(root: Site, notes: Any) -> None:
    """The rest of the page is there, and the count can be waited for."""
    admin = root.database.client.admin
    slow = {"failCommands": ["aggregate"], "blockConnection": True, "blockTimeMS": 2_500}
    # The first one is for the size of the collection.
    of = {"data": {**slow, "namespace": f"{root.database.name}.notes"}, "mode": {"skip": 1}}
    admin.command({"configureFailPoint": "failCommand", **of})
    try:
        page = root.get(root.collection("notes", "validator"))
    finally:
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert page.status == 200
    assert "did not answer within" in page.text
    assert "minLength: 1" in page.text


def test_levels_in_words(root: Site, notes: Any) -> None:
    def said(level: str, action: str) -> str:
        root.database.command("collMod", "notes", validationLevel=level, validationAction=action)
        return root.get(root.collection("notes", "validator")).text

    assert "What violates it is refused." in said("strict", "error")
    assert "but for changes to documents that violated it before" in said("moderate", "error")
    assert "is written all the same" in said("strict", "warn")
    assert "Nothing is checked." in said("off", "error")


def test_without(root: Site) -> None:
    root.database.notes.insert_one({})
    root.database.create_collection("view", viewOn="notes", pipeline=[])
    notes = root.get(root.collection("notes", "validator"))
    assert "The collection has no validator" in notes.text
    view = root.get(root.collection("view", "validator"))
    assert "Only collections have validators." in view.text


class TestLinks:
    """From a document that the ORM keeps to the page of its object."""

    @pytest.fixture
    def tome(self, root: Site) -> Any:
        from djongo_services.connections import connections
        from tests.admin.shelf.models import Tome

        database = connections["default"].database
        tome = Tome.objects.create(title="A")
        # As in a project with these models alone.
        database.command(
            "collMod",
            "shelf_tome",
            validator={"title": {"$type": "int"}},
            validationLevel="moderate",
        )
        yield tome
        database.drop_collection("shelf_tome")

    def url(self, site: Site) -> str:
        return site.url("collection_validator", "default_2Fshelf_5Ftome")

    def test_to_the_object(self, root: Site, tome: Any) -> None:
        page = root.get(self.url(root))
        link = page.link(str(tome.pk))
        assert link == f"/admin/shelf/tome/{tome.pk}/change/"
        assert root.get(link).status == 200

    def test_none_for_who_may_not_see_it(self, root: Site, tome: Any) -> None:
        root.login("view_collection")
        page = root.get(self.url(root))
        assert str(tome.pk) in page.text
        assert "/admin/shelf/tome/" not in page.html
