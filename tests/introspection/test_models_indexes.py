"""The indexes that fields, ``Meta`` and comments declare."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bson import ObjectId

from djongo_services.introspection.modelling import render_models
from djongo_services.introspection.report import Reference
from tests.introspection.modelling_oracle import report_of
from tests.introspection.modelling_project import run_modules
from tests.introspection.modelling_syntax import body

INDEXES: Sequence[Mapping[str, Any]] = [
    {"name": "_id_", "key": {"_id": 1}},
    {"name": "name_1", "key": {"name": 1}},
    {"name": "name_-1__id_1", "key": {"name": -1.0, "_id": 1}},
    {"name": "email_1", "key": {"email": 1}, "unique": True},
    {"name": "a_very_long_name_of_an_index_1", "key": {"email": 1, "name": 1}},
    {"name": "a_very_long_name_of_an_index_12", "key": {"email": 1, "name": -1}},
    {"name": "address.zip_1", "key": {"address.zip": 1}},
    {"name": "text", "key": {"_fts": "text"}, "weights": {"name": 1}},
    {"name": "seen_1", "key": {"seen": 1}, "expireAfterSeconds": 60},
    {
        "name": "partial",
        "key": {"name": 1},
        "partialFilterExpression": {"email": {"$gte": "m"}, "name": "x"},
    },
    {
        "name": "partial_elsewhere",
        "key": {"name": 1},
        "partialFilterExpression": {"email": {"$exists": True}},
    },
    {
        "name": "by_the_backend",
        "key": {"name": 1},
        "unique": True,
        "partialFilterExpression": {"name": {"$type": "string"}},
    },
    {"name": "sparse", "key": {"name": 1}, "sparse": True},
    {"name": "at_2d", "key": {"at": "2d"}},
]


EXPECTED_META = """\
indexes = [
    models.Index(fields=["name"], name="name_1"),
    models.Index(fields=["-name", "id"], name="name_-1__id_1"),
    models.Index(fields=["email", "name"], name="a_very_long_name_of_an_index_1"),
    MongoIndex(fields=["email", "-name"], name="a_very_long_name_of_an_index_12"),
    MongoIndex(fields=["address.zip"], name="address.zip_1"),
    models.Index(
        fields=["name"],
        name="partial",
        condition=models.Q(email__gte="m", name__exact="x"),
    ),
    SparseIndex(fields=["name"], name="sparse"),
]
# Index {"name": "text", "key": {"_fts": "text"}, "weights": {"name": 1}}: this class has no
# field _fts.
# Index {"name": "seen_1", "key": {"seen": 1}, "expireAfterSeconds": 60}: TTLIndex is for a
# DateTimeField.
# Index {"name": "partial_elsewhere", "key": {"name": 1}, "partialFilterExpression":
# {"email": {"$exists": true}}}: no condition produces its partialFilterExpression.
# Index {"name": "at_2d", "key": {"at": "2d"}}: this class has no field at."""


def test_indexes_are_declared_or_told() -> None:
    people = [{"_id": 1, "name": "x", "email": "y", "address": {"zip": "1"}, "seen": None}]
    text = render_models(
        report_of({"people": people, "others": people}, indexes={"people": INDEXES}),
        style="backend",
    )

    meta = body("people", text)
    declared, _ = meta[meta.index("        indexes") :].split("\n\n")
    assert declared == textwrap.indent(EXPECTED_META, " " * 8)
    assert "    email = models.TextField(blank=True, unique=True)\n" in meta
    assert "    name = models.TextField(blank=True, unique=True)\n" in meta


def test_an_index_of_one_field_is_said_by_the_field(tmp_path: Path) -> None:
    one = ObjectId()
    only = {"unique": True, "partialFilterExpression": {"code": {"$type": "string"}}}
    partial = {"partialFilterExpression": {"name": {"$gte": "m"}}}
    indexes: list[dict[str, Any]] = [
        {"name": "the names, all of them, and a name that Django refuses", "key": {"name": 1}},
        {"name": "partial", "key": {"name": 1}, **partial},
        {"name": "back_-1", "key": {"back": -1}},
        {"name": "owner_id_1", "key": {"owner_id": 1.0}},
        {"name": "badge_1", "key": {"badge": 1}, "unique": True},
        {"name": "code_1", "key": {"code": 1}, **only},
        {"name": "mixed_1", "key": {"mixed": 1}},
    ]
    documents: list[dict[str, Any]] = [
        {"_id": one, "name": "x", "back": 1, "code": "y", "mixed": 1, **dict.fromkeys(KEYS, one)},
        {"_id": one, "name": "x", "back": 1, "code": "z", "mixed": "", **dict.fromkeys(KEYS, one)},
    ]
    references = [
        Reference(path=(key,), target="things", unique=key == "badge", checked=1, found=1)
        for key in KEYS
    ]
    report = report_of(
        {"things": documents}, indexes={"things": indexes}, references={"things": references}
    )

    text = render_models(report, style="backend")
    things = body("things", text)
    assert "    name = models.TextField(blank=True, db_index=True)\n" in things
    assert "    code = models.TextField(blank=True, unique=True)\n" in things
    assert "    mixed = BSONField(blank=True, db_index=True)\n" in things
    # Reader has no index of its own that Django makes.
    assert things.count("db_index=False") == 1
    assert "    badge = models.OneToOneField(\n" in things
    meta = things[things.index("        indexes") :]
    assert meta.count("models.Index(") == 2
    assert 'fields=["-back"]' in meta
    assert 'name="partial"' in meta
    assert "constraints" not in meta
    outcome = run_modules(tmp_path, [text], uri="mongodb://127.0.0.1:1/", database="unused")
    assert outcome.check == ""
    assert render_models(report, style="plain").count("db_index=True") == 2


KEYS = ("owner_id", "reader_id", "badge")


def test_indexes_of_one_name_in_two_collections_are_told_apart(tmp_path: Path) -> None:
    documents = [{"_id": 1, "name": "x"}]
    index = [{"name": "name_1", "key": {"name": 1}}]
    text = render_models(
        report_of({"a": documents, "b": documents}, indexes={"a": index, "b": index}),
        style="plain",
    )

    assert text.count("    name = models.TextField(blank=True, db_index=True)\n") == 2
    assert run_modules(tmp_path, [text], style="plain").check == ""
