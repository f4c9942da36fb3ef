"""Keys that are kept in another form than their targets have them, on every supported server."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from bson import Binary, DBRef, ObjectId
from pymongo.database import Database

from djongo_services.introspection import inspect_database
from djongo_services.introspection.path import ELEMENT, Path
from djongo_services.introspection.report import Depth, Reference, Report

Mongo = Database[dict[str, Any]]

DEPTHS: list[Depth] = ["sample", "complete"]
SMALL = 1000
"""A sample with which these collections are read whole; with 20 they are not."""

PARSE_IDS = [f"Ed{n:02d}uqPvcm" for n in range(60)]


def told(report: Report, name: str) -> dict[Path, tuple[str, str, int, int]]:
    return {
        one.path: (one.target, one.kind, one.checked, one.found) for one in report[name].references
    }


def parse(database: Mongo) -> None:
    """The documents that Parse Server writes: pointers as columns, and as documents within
    columns."""
    database["_User"].insert_many([{"_id": one, "username": one.lower()} for one in PARSE_IDS])
    database["_Role"].insert_many([{"_id": f"R{one}", "name": one} for one in PARSE_IDS[:30]])
    database["Post"].insert_many(
        {
            "_id": f"P{one}",
            "_p_owner": f"_User${one}",
            "editor": {"__type": "Pointer", "className": "_User", "objectId": one},
            "readers": [
                {"__type": "Pointer", "className": "_User", "objectId": one},
                {"__type": "Pointer", "className": "_Role", "objectId": f"R{one}"},
            ],
            "_rperm": ["*"],
        }
        for one in PARSE_IDS
    )
    database["_Join:users:_Role"].insert_many(
        {"_id": f"J{one}", "owningId": f"R{one}", "relatedId": one} for one in PARSE_IDS[:30]
    )


@pytest.mark.parametrize("sample", [SMALL, 20])
def test_the_pointers_of_parse(matrix_database: Mongo, sample: int) -> None:
    parse(matrix_database)
    matrix_database["Post"].insert_one({"_id": "gone", "_p_owner": "_User$NotThere11"})
    report = inspect_database(matrix_database, sample=sample, depth="complete", values=True)
    found = told(report, "Post")
    assert found[("_p_owner",)] == ("_User", "pointer", 61, 60)
    assert found[("editor",)] == ("_User", "pointer", 60, 60)
    readers = [one for one in report["Post"].references if one.path == ("readers", ELEMENT)]
    assert [(one.target, one.kind, one.checked, one.found) for one in readers] == [
        ("_Role", "pointer", 60, 30),
        ("_User", "pointer", 60, 60),
    ]
    assert told(report, "_Join:users:_Role") == {
        ("owningId",): ("_Role", "value", 30, 30),
        ("relatedId",): ("_User", "value", 30, 30),
    }
    dangling = [one for one in report["Post"].warnings if one.code == "dangling-reference"]
    assert [(one.path, one.examples) for one in dangling if one.path == "_p_owner"] == [
        ("_p_owner", ("gone",))
    ]


def test_what_only_looks_like_a_pointer(database: Mongo) -> None:
    database.things.insert_many(
        [
            {"_id": 1, "_p_owner": "no dollar", "at": {"__type": "GeoPoint", "latitude": 1}},
            {"_id": 2, "_p_owner": "$", "at": {"__type": "Pointer", "className": 1}},
            {"_id": 3, "_p_owner": 7, "at": {"__type": "Date", "objectId": 1, "className": "a"}},
        ]
    )
    assert inspect_database(database)["things"].references == ()


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("sample", [SMALL, 20])
@pytest.mark.parametrize(
    ("key", "kept"),
    [
        (lambda n: ObjectId(f"{n:024x}"), lambda key: str(key)),
        (lambda n: ObjectId(f"{n:024x}"), lambda key: str(key).upper()),
        (lambda n: f"{n + 2**90:024x}", lambda key: ObjectId(key)),
        (lambda n: uuid.UUID(int=n), lambda key: str(key)),
        (lambda n: uuid.UUID(int=n), lambda key: key.hex),
        (lambda n: str(uuid.UUID(int=n)), lambda key: uuid.UUID(key)),
        (lambda n: uuid.UUID(int=n).hex, lambda key: str(uuid.UUID(key))),
        (lambda n: Binary(uuid.UUID(int=n).bytes, 3), lambda key: str(uuid.UUID(bytes=bytes(key)))),
    ],
    ids=["hex", "HEX", "hex target", "uuid", "uuid hex", "uuid target", "hyphens", "old uuid"],
)
def test_keys_kept_as_text_and_back(
    database: Mongo, key: Any, kept: Any, sample: int, depth: Depth
) -> None:
    keys = [key(2**40 + n) for n in range(50)]
    people = database.get_collection("people", codec_options=_UUIDS)
    people.insert_many([{"_id": each} for each in keys])
    notes = database.get_collection("notes", codec_options=_UUIDS)
    # Without a word of people in their names, as scalars, in documents and arrays.
    notes.insert_many(
        {"_id": n, "x": kept(each), "y": {"z": kept(each)}, "w": [kept(each), kept(keys[0])]}
        for n, each in enumerate(keys)
    )
    report = inspect_database(database, sample=sample, depth=depth)
    found = report["notes"].references
    assert [(one.path, one.target, one.kind) for one in found] == [
        (("w", ELEMENT), "people", "text"),
        (("x",), "people", "text"),
        (("y", "z"), "people", "text"),
    ]
    assert {one.confidence for one in found} == {1.0}
    if depth == "complete":
        assert {one.checked for one in found} == {50}


def test_the_conventions_of_rails_mongoose_and_mongoid(matrix_database: Mongo) -> None:
    ids = [ObjectId() for _ in range(40)]
    matrix_database.members.insert_many([{"_id": one} for one in ids[:20]])
    matrix_database.posts.insert_many([{"_id": one} for one in ids[20:]])
    matrix_database.comments.insert_many(
        {
            "_id": number,
            "owner_id": str(ids[number]),
            "member_ids": [str(ids[number]), str(ids[0])],
            "commentable_type": "Member" if number % 2 else "Post",
            "commentable_id": ids[number] if number % 2 else ids[number + 20],
            "by": DBRef("members", str(ids[number])),
        }
        for number in range(20)
    )
    report = inspect_database(matrix_database)
    found = [(one.path, one.target, one.kind, one.found) for one in report["comments"].references]
    assert found == [
        (("by",), "members", "dbRef", 20),
        (("commentable_id",), "members", "value", 10),
        (("commentable_id",), "posts", "value", 10),
        (("member_ids", ELEMENT), "members", "text", 20),
        (("owner_id",), "members", "text", 20),
    ]


def test_both_forms_in_one_field(database: Mongo) -> None:
    ids = [ObjectId() for _ in range(30)]
    database.people.insert_many([{"_id": one} for one in ids])
    database.notes.insert_many(
        [{"person_id": str(one) if number < 10 else one} for number, one in enumerate(ids)]
    )
    (reference,) = inspect_database(database)["notes"].references
    assert (reference.kind, reference.checked, reference.found) == ("value", 30, 30)


def test_no_foreign_key_is_made_of_text(database: Mongo) -> None:
    """A ForeignKey would ask for ObjectIds where the collection has text."""
    from djongo_services.introspection.modelling import render_models

    ids = [ObjectId() for _ in range(30)]
    database.people.insert_many([{"_id": one} for one in ids])
    database.notes.insert_many([{"person_id": str(one)} for one in ids])
    source = render_models(inspect_database(database), style="backend")
    assert "ForeignKey" not in source
    assert "person_id refers to people." in source


def test_tenants_with_collections_of_the_same_names(database: Mongo) -> None:
    """Forty collections are called users; the name's own tenant is meant, whatever their keys."""
    for tenant in range(40):
        database[f"t{tenant:02d}_users"].insert_many([{"_id": n} for n in range(10)])
    database.t27_orders.insert_many([{"_id": n, "user_id": n % 10} for n in range(50)])
    (reference,) = inspect_database(database)["t27_orders"].references
    assert reference.target == "t27_users"


def test_the_plain_name_is_not_lost_among_tenants(database: Mongo) -> None:
    for tenant in range(40):
        database[f"t{tenant:02d}_users"].insert_many([{"_id": 1000 + n} for n in range(10)])
    database.users.insert_many([{"_id": n} for n in range(10)])
    database.orders.insert_many([{"_id": n, "user_id": n % 10} for n in range(50)])
    (reference,) = inspect_database(database)["orders"].references
    assert reference == Reference(
        path=("user_id",), target="users", checked=10, found=10, complete=True
    )


def _uuids() -> Any:
    from bson.binary import UuidRepresentation
    from bson.codec_options import CodecOptions

    return CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


_UUIDS = _uuids()
