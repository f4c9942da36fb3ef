"""The Validator tab: rules to read, and the documents that break them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from djongo_services.schema.ownership import marked
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


def test_rules_are_a_table(root: Site, notes: Any) -> None:
    page = root.get(root.collection("notes", "validator"))
    assert "Level strict: every insert and update" in page.text
    assert rows(page.html) == [
        "title is present Its name none 0",
        "title is of the type string 1 documents that break the rule",
        "title has at least 1 character 0",
        'kind is one of "a", "b", null none 0',
        "sizes is of the type array none 0",
        "sizes[] is of one of the types int, long none 0",
        "sizes[] is at least 0 0",
        "inner is of the type object none 0",
        "inner has no other fields 0",
        "inner.deep is present none 0",
        "inner.deep is of the type date 0",
        "elsewhere is present none 1 documents that break the rule",
        'the document {"$expr": {"$lte": ["$from", "$to"]}} none 0',
    ]


def test_each_count_leads_to_the_documents(root: Site, notes: Any) -> None:
    """The number that a rule has is that of the documents behind its link."""
    notes.insert_many(
        [
            {"_id": 1, "title": "", "elsewhere": 1},
            {"_id": 2, "title": "a", "elsewhere": 1, "sizes": [1, -1, "x"]},
            {"_id": 3, "title": "a", "elsewhere": 1, "inner": {"x": 1, "deep": 2}},
            {"_id": 4, "title": "a", "elsewhere": 1, "inner": 5, "kind": "c"},
            {"_id": 5, "title": "a", "elsewhere": 1, "from": 2, "to": 1},
        ],
        bypass_document_validation=True,
    )
    page = root.get(root.collection("notes", "validator"))
    links = re.findall(r'<a href="([^"]*breaks=[0-9a-f]+)">(\d+)', page.html)
    assert len(links) == 10
    found = {}
    for url, number in links:
        shown = root.get(url.replace("&amp;", "&"))
        ids = re.findall(r"(?s)<article.*?<h3>.*?<bdi>(.*?)</bdi>", shown.html)
        assert len(ids) == int(number)
        rule = re.search(r"Documents that break the rule: (.*?)\.</bdi>", shown.html)[1]
        found[rule] = ids
    assert found["sizes[] is at least 0"] == ["2"]
    assert found["inner is of the type object"] == ["4"]
    assert found["inner.deep is of the type date"] == ["3"]
    assert found["inner has no other fields"] == ["3"]
    everything = root.get(page.link("Show them"))
    assert "Documents that break the validator." in everything.text
    assert root.get(root.collection("notes", "documents"), breaks="0" * 16).status == 404


def test_without_permission_to_see_documents(site: Site, notes: Any) -> None:
    site.login("view_collection")
    page = site.get(site.collection("notes", "validator"))
    assert "title is of the type string" in page.text
    assert "/documents/" not in page.html
    assert "/document/" not in page.html


def test_all_combinations_of_schemas(root: Site) -> None:
    """For any schema, every document that breaks it breaks one of its rules."""
    schema = {
        "allOf": [{"required": ["a"]}, {"properties": {"b": {"minimum": 3}}}],
        "anyOf": [{"required": ["x"]}, {"required": ["y"]}],
        "not": {"required": ["z"]},
        "minProperties": 4,
        "patternProperties": {"^n_": {"bsonType": "int"}},
        "dependencies": {"a": ["b"]},
        "properties": {
            "c": {"minimum": 1, "exclusiveMinimum": True},
            "d": {"items": [{"bsonType": "int"}], "additionalItems": False},
            "e": {"uniqueItems": True},
            "f": {"additionalProperties": {"bsonType": "string"}, "properties": {"g": {}}},
            "h": {"pattern": "^<b>"},
        },
    }
    root.database.create_collection("odd", validator={"$jsonSchema": schema, "q": {"$ne": 1}})
    broken = [
        {"b": 5, "x": 1},
        {"a": 1, "b": 2, "x": 1},
        {"a": 1, "b": 5},
        {"a": 1, "b": 5, "x": 1, "z": 1},
        {"a": 1, "x": 1},
        {"a": 1, "b": 5, "x": 1, "n_1": "x"},
        {"a": 1, "b": 5, "x": 1, "c": 1},
        {"a": 1, "b": 5, "x": 1, "d": [1, 2]},
        {"a": 1, "b": 5, "x": 1, "d": ["x"]},
        {"a": 1, "b": 5, "x": 1, "e": [1, 1]},
        {"a": 1, "b": 5, "x": 1, "f": {"g": 1, "i": 2}},
        {"a": 1, "b": 5, "x": 1, "h": "x"},
        {"a": 1, "b": 5, "x": 1, "q": 1},
    ]
    root.database.odd.insert_many(broken, bypass_document_validation=True)
    root.database.odd.insert_one({"a": 1, "b": 5, "x": 1, "c": 2, "f": {"g": 1, "i": "x"}})
    page = root.get(root.collection("odd", "validator"))
    assert "13 documents violate the validator." in page.text
    words = rows(page.html)
    numbers = [re.search(r" (\d+)( documents that break the rule)?$", row)[1] for row in words]
    assert min(map(int, numbers)) >= 1, words
    assert "f: every other field is of the type string" in page.text
    assert "n_ (a pattern of names) is of the type int" in page.text
    assert "c is greater than 1" in page.text


def test_more_rules_than_are_counted(root: Site) -> None:
    properties = {f"f{n:04}": {"bsonType": "int"} for n in range(1_200)}
    root.database.create_collection("wide", validator={"$jsonSchema": {"properties": properties}})
    root.database.wide.insert_one({"f0000": "x"}, bypass_document_validation=True)
    page = root.get(root.collection("wide", "validator"))
    assert "1 document violates the validator." in page.text
    assert "The violators of 1000 more rules are not counted." in page.text.replace(",", "")
    assert "There are more; the JSON has all of them." in page.text
    assert len(rows(page.html)) == 1_000


def test_a_model_says_the_rule(root: Site) -> None:
    page = root.get(root.collection("books", "validator"))
    assert "The models would create this validator with the collection." in page.text
    assert "library.Book.title" in page.text
    assert page.link("Show the plan") == root.collection("books", "plan")
    root.database.create_collection("books")
    page = root.get(root.collection("books", "validator"))
    assert "The collection has no validator: every document is accepted." in page.text
    assert "title is of the type string" in page.text


def test_a_constraint_has_its_name(root: Site) -> None:
    named = {"$or": [{"n": {"$gte": 0}}, {"n": None}], "$comment": "n_positive"}
    root.database.create_collection("notes", validator={"$and": [{"m": {"$ne": 1}}, named]})
    root.database.notes.insert_one({"n": -1}, bypass_document_validation=True)
    page = root.get(root.collection("notes", "validator"))
    assert "keeps the constraint n_positive" in page.text
    assert len(rows(page.html)) == 2
    assert "n_positive" in root.get(page.link("1 documents that break")).text


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
    assert "Show reasons" not in page.text


def test_more_than_are_listed(root: Site, notes: Any) -> None:
    notes.insert_many([{"n": n} for n in range(30)], bypass_document_validation=True)
    page = root.get(root.collection("notes", "validator"))
    assert "31 documents violate the validator." in page.text
    assert "The first 20" in page.text
    assert len(re.findall(r"<li><a [^>]*/document/", page.html)) == 20


def test_counting_that_takes_too_long(root: Site, notes: Any, project: Any) -> None:
    """The rest of the page is there, and the count can be waited for."""
    project.DJONGO_SERVICES = {**project.DJONGO_SERVICES, "ADMIN": {"TIMEOUT": 4}}
    admin = root.database.client.admin
    slow = {"failCommands": ["aggregate"], "blockConnection": True, "blockTimeMS": 5_500}
    # The first one is for the size of the collection.
    of = {"data": {**slow, "namespace": f"{root.database.name}.notes"}, "mode": {"skip": 1}}
    admin.command({"configureFailPoint": "failCommand", **of})
    try:
        page = root.get(root.collection("notes", "validator"))
    finally:
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert page.status == 200
    assert "did not answer within" in page.text
    assert "has at least 1 character" in page.text
    assert "not counted" in page.text


def test_levels_in_words(root: Site, notes: Any) -> None:
    def said(level: str, action: str) -> str:
        root.database.command("collMod", "notes", validationLevel=level, validationAction=action)
        return root.get(root.collection("notes", "validator")).text

    assert "Invalid documents are rejected." in said("strict", "error")
    assert "except changes to documents that were already invalid" in said("moderate", "error")
    assert "Invalid documents are accepted" in said("strict", "warn")
    assert "Nothing is checked." in said("off", "error")


def test_without(root: Site) -> None:
    root.database.notes.insert_one({})
    root.database.create_collection("view", viewOn="notes", pipeline=[])
    notes = root.get(root.collection("notes", "validator"))
    assert "The collection has no validator" in notes.text
    assert "No model describes it." in notes.text
    assert root.get(notes.link("Schema")).status == 200
    view = root.get(root.collection("view", "validator"))
    assert "A view has no validator" in view.text
    assert view.link("notes") == root.collection("notes", "validator")


class TestLinks:
    """Links from a document that the ORM keeps to the page of its object."""

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
        assert root.get(page.link(str(tome.pk))).status == 200
        link = page.link("its object")
        assert link == f"/admin/shelf/tome/{tome.pk}/change/"
        assert root.get(link).status == 200

    def test_none_for_who_may_not_see_it(self, root: Site, tome: Any) -> None:
        root.login("view_collection")
        page = root.get(self.url(root))
        assert str(tome.pk) in page.text
        assert "/admin/shelf/tome/" not in page.html


def test_the_origin_is_shown(root: Site, notes: Any) -> None:
    page = root.get(root.collection("notes", "validator"))
    assert "Origin Not djongo_services" in page.text
    assert "--replace-validator" in page.text
    ours = marked({"$jsonSchema": {"required": ["title"]}}, ["shelf.Note"])
    root.database.command("collMod", "notes", validator=ours)
    page = root.get(root.collection("notes", "validator"))
    assert "Origin The models" in page.text
    assert "--replace-validator" not in page.text


def test_many_violators_are_told_apart_in_part(
    root: Site, notes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are counted when that is asked for."""
    for module in ("djongo_services.schema.validator_rules", "djongo_services.admin.validator_tab"):
        monkeypatch.setattr(f"{module}.COUNTED", 30)
    notes.insert_many(
        [{"title": n, "elsewhere": 1} for n in range(50)], bypass_document_validation=True
    )
    page = root.get(root.collection("notes", "validator"))
    assert "30 or more documents violate the validator." in page.text
    counted = root.get(page.link("Count them"))
    assert "51 documents violate the validator." in counted.text
    assert rows(counted.html) == rows(page.html)
    assert "Rules are counted among the first 30 of them." in page.text
    assert "title is of the type string 30 documents that break the rule or more" in rows(page.html)
