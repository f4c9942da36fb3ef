"""Documents loaded and saved through generated models, on a real server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.introspection import profile, read_catalog
from djongo_services.introspection.modelling import render_models
from djongo_services.introspection.profiling.values import summarise_values
from djongo_services.introspection.report import CollectionReport, Reference, Report
from tests.introspection.modelling_oracle import report_of, with_types
from tests.introspection.modelling_project import differences, documented, run_modules
from tests.introspection.modelling_syntax import assert_inert

Documents = Database[dict[str, Any]]

EVERY_TYPE: Mapping[str, Any] = {
    "double": 1.5,
    "not_a_number": float("nan"),
    "minus_zero": -0.0,
    "string": "a\x00b\u2028c",
    "empty_string": "",
    "object": {"a": 1, "b": {"c": "d"}},
    "empty_object": {},
    "odd_keys": {"a.b": 1, "$c": 2, "__d": {"$e.f": 3}, "_id_": 4, "class": 5},
    "empty_key": {"": 1, "b": 2},
    "array": [1, 2],
    "empty_array": [],
    "nested_array": [[1], [2, 3], []],
    "array_of_objects": [{"a": 1}, {"a": 2}],
    "array_of_arrays_of_objects": [[{"a": 1}], [{"a": 2}]],
    "array_with_nulls": [1, None],
    "objects_with_nulls": [{"a": 1}, None],
    "array_of_dates": [datetime(2020, 1, 1, 12, 30, 1, 5000), None],
    "array_of_json": [{"map": {"a": 1}}, {"map": {"b": 1}}],
    "mixed_array": [1, "a", {"b": Int64(1)}, [2.5]],
    "binary": b"abc",
    "binary_array": [b"abc", b""],
    "uuid": Binary(b"0" * 16, 4),
    "old_uuid": Binary(b"0" * 16, 3),
    "md5": Binary(b"0" * 16, 5),
    "user_defined": Binary(b"0", 128),
    "object_id": ObjectId("0" * 24),
    "boolean": False,
    "date": datetime(2020, 1, 1, 12, 30, 1, 999000),
    "first_date": datetime(1, 1, 1),
    "last_date": datetime(9999, 12, 31, 23, 59, 59, 999000),
    "null": None,
    "regex": Regex("a.*", "imx"),
    "reference": DBRef("people", ObjectId("1" * 24), "other", extra=1),
    "code": Code("return 1"),
    "code_with_scope": Code("return x", {"x": 1}),
    "int": 1,
    "timestamp": Timestamp(5, 6),
    "inner_timestamp": {"a": Timestamp(0, 0)},
    "long": Int64(1),
    "big_long": Int64(2**63 - 1),
    "decimal": Decimal128("1.50"),
    "big_decimal": Decimal128("9.999999999999999999999999999999999E+6144"),
    "decimal_nan": Decimal128("NaN"),
    "decimal_infinity": Decimal128("-Infinity"),
    "decimal_minus_zero": Decimal128("-0E-5"),
    "min_key": MinKey(),
    "max_key": MaxKey(),
    "map_of_longs": {"a": Int64(1), "b": Int64(2)},
    "map_of_text": {"a": "x", "b.c": "y"},
    "models": 1,
    "objects": 2,
    "save": 3,
    "pk": 4,
    "id": 5,
    "_state": 6,
    "0": 7,
    "é à": 8,
}
"""One value of each type and each special position that BSON, PyMongo and the backend support."""


KEYS: Sequence[Sequence[Any]] = [
    [ObjectId("0" * 24), ObjectId("1" * 24)],
    ["a", "b"],
    ["", "b"],
    [1, 2],
    [Int64(1), Int64(2**40)],
    [1, Int64(2)],
    [1.5, float("nan")],
    [datetime(2020, 1, 1), datetime(2021, 1, 1)],
    [Binary(b"0" * 16, 4), Binary(b"1" * 16, 4)],
    [b"a", b"b"],
    [True, False],
    [Decimal128("1.50"), Decimal128("NaN")],
    [{"b": 1, "a": 2}, {"a": Int64(2)}],
    [1, "1", ObjectId("0" * 24), Timestamp(1, 1), MinKey()],
]
NOTE: Mapping[str, Any] = {
    "title": "Grave 3",
    "writtenAt": datetime(1923, 11, 4, 9, 30),
    "depth": 2.5,
    "finds": [{"name": "bead", "count": 3}, {"name": "sherd", "count": 40}],
    "place": {"name": "Ur", "at": {"type": "Point", "coordinates": [46.1, 30.9]}},
    "author": "ada",
}
COLLECTIONS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    **{f"type_{key}": [{"_id": 1, key: value}] for key, value in EVERY_TYPE.items()},
    **{f"key_{n}": [{"_id": key, "n": 1} for key in keys] for n, keys in enumerate(KEYS)},
    "embedded": [{"_id": 1, "in": dict(EVERY_TYPE)}],
    "listed": [{"_id": 1, "in": [dict(EVERY_TYPE)]}],
    "notes": [{"_id": 1, **NOTE}, {"_id": 2, **NOTE}, {"_id": 3, **NOTE, "author": "gone"}],
    "authors": [{"_id": "ada", "friend": None}, {"_id": "max", "friend": "ada"}],
    "people": [
        {"_id": 1, "name": "Ada", "address": {"street": "x", "city": "y"}, "size": 1},
        {"_id": 2, "address": {"city": "y", "zip": None}, "size": Int64(2)},
    ],
    "points": [{"_id": 1, "at": {"x": 1, "y": 2}}, {"_id": 2, "at": {"y": 2, "x": 1}}],
    "days": [
        {"_id": 1, "map": {"2020-01-02": 1, "2020-01-01": 2}},
        {"_id": 2, "map": {"2021-01-01": Int64(3)}},
    ],
    "lines": [{"_id": 1, "lines": [{"_id": ObjectId("0" * 24), "n": 1}, {"n": 2}]}],
    "numbered_lines": [{"_id": 1, "lines": [{"_id": 1, "n": 1}, {"_id": "2", "n": 2}]}],
    "nulled_lines": [{"_id": 1, "lines": [{"_id": None, "n": 1}, {"_id": 2, "n": 2}]}],
    "unspeakable": [{"_id": 1, "a.b": 1, "$price": 2, "": 3, "n": 4}],
}
REFERENCES = {
    "notes": [Reference(path=("author",), target="authors", checked=10, found=9)],
    "authors": [Reference(path=("friend",), target="authors", unique=True, checked=1, found=1)],
}


@pytest.fixture(scope="module", params=[False, True], ids=["shapes", "values"])
def changes(
    request: pytest.FixtureRequest,
    mongodb_server: MongoServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, list[str]]]:
    """The changes that saving each collection's documents through their models made."""
    with mongodb_server.client() as client:
        database = client[f"test_{uuid.uuid4().hex}"]
        for name, documents in COLLECTIONS.items():
            database[name].insert_many([dict(each) for each in documents])
        # As PyMongo reads it: the representation of flags and dates is not that of the test.
        before = {name: list(database[name].find()) for name in COLLECTIONS}
        report = report_of(before, values=request.param, references=REFERENCES)
        text = render_models(report, style="backend")
        outcome = run_modules(
            tmp_path_factory.mktemp("models"),
            [text],
            uri=mongodb_server.uri,
            database=database.name,
            save=True,
        )
        assert "models.ForeignKey(" in text
        assert "models.OneToOneField(" in text
        assert outcome.errors == []
        assert outcome.check == ""
        assert outcome.saved == sum(map(len, before.values()))
        yield {
            name: [
                change
                for old in documents
                for change in differences(old, database[name].find_one({"_id": old["_id"]}))
            ]
            for name, documents in before.items()
        }
        client.drop_database(database)


def test_every_type_stays_what_it_is(changes: dict[str, list[str]]) -> None:
    changed = {name for name, found in changes.items() if found}

    assert not {name for name in changed if name.startswith("type_")}
    assert changes["embedded"] == []
    assert changes["listed"] == []


def test_documents_are_found_by_any_kind_of_key(changes: dict[str, list[str]]) -> None:
    assert not any(found for name, found in changes.items() if name.startswith("key_"))


def test_documents_of_one_shape_do_not_change_at_all(changes: dict[str, list[str]]) -> None:
    assert changes["notes"] == []


def test_references_stay_even_where_they_dangle(changes: dict[str, list[str]]) -> None:
    assert changes["authors"] == []
    assert changes["notes"] == []


def test_only_the_documented_rewrites_happen(changes: dict[str, list[str]]) -> None:
    assert sorted(changes["people"]) == [
        "int to long .size",
        "null added .address.street",
        "null added .address.zip",
        "null added .name",
    ]


def test_fields_of_embedded_documents_take_the_order_of_the_class(
    changes: dict[str, list[str]],
) -> None:
    assert changes["points"] == ["order .at"]


def test_a_map_keeps_its_keys_and_their_order(changes: dict[str, list[str]]) -> None:
    assert changes["days"] == []


def test_keys_of_embedded_documents_stay(changes: dict[str, list[str]]) -> None:
    assert changes["lines"] == []
    assert changes["numbered_lines"] == []
    assert changes["nulled_lines"] == []


def test_fields_that_the_orm_cannot_write_are_left_alone(changes: dict[str, list[str]]) -> None:
    assert changes["unspeakable"] == []


def test_what_inspection_finds_makes_models_that_keep_the_documents(
    mongodb_server: MongoServer, database: Documents, tmp_path: Path
) -> None:
    """From one server to the same server: the real profile, complete and with values."""
    for name, documents in COLLECTIONS.items():
        database[name].insert_many([dict(each) for each in documents])
    before = {name: list(database[name].find()) for name in COLLECTIONS}
    catalog = read_catalog(database)
    report = Report(
        server=catalog.server,
        database=catalog.database,
        collections=tuple(
            CollectionReport(
                collection=each,
                profile=summarise_values(
                    database[each.name],
                    profile(database[each.name], depth="complete"),
                    depth="complete",
                ),
            )
            for each in catalog.collections
        ),
    )
    text = render_models(report, style="backend")

    outcome = run_modules(
        tmp_path, [text], uri=mongodb_server.uri, database=database.name, save=True
    )

    assert_inert(text)
    assert (outcome.check, outcome.errors) == ("", [])
    assert outcome.saved == sum(map(len, before.values()))
    for name, documents in before.items():
        for old in documents:
            new = database[name].find_one({"_id": old["_id"]})
            assert [each for each in differences(old, new) if not documented(each, documents)] == []


def test_deprecated_types_are_left_alone(
    mongodb_server: MongoServer, database: Documents, tmp_path: Path
) -> None:
    symbol = b"\x0ey\x00\x03\x00\x00\x00ab\x00"
    undefined = b"\x06u\x00"
    body = b"\x10_id\x00\x01\x00\x00\x00" + symbol + undefined + b"\x10n\x00\x02\x00\x00\x00"
    raw = RawBSONDocument((len(body) + 5).to_bytes(4, "little") + body + b"\x00")
    database["old"].insert_one(raw)
    report = report_of({"old": [{"_id": 1, "y": "ab", "u": None, "n": 2}]})
    report = with_types(report, {"y": "symbol", "u": "undefined"})

    outcome = run_modules(
        tmp_path,
        [render_models(report, style="backend")],
        uri=mongodb_server.uri,
        database=database.name,
        save=True,
    )

    assert (outcome.check, outcome.saved, outcome.errors) == ("", 1, [])
    options = CodecOptions(document_class=RawBSONDocument)
    after: Any = database.get_collection("old", codec_options=options).find_one()
    assert after is not None
    assert after.raw == raw.raw


def test_dates_survive_without_time_zones(
    mongodb_server: MongoServer, database: Documents, tmp_path: Path
) -> None:
    before = {"_id": 1, "at": datetime(2020, 3, 29, 2, 30, 0, 1000)}
    database["events"].insert_one(before)

    outcome = run_modules(
        tmp_path,
        [render_models(report_of({"events": [before]}), style="backend")],
        uri=mongodb_server.uri,
        database=database.name,
        save=True,
        use_tz=False,
    )

    assert outcome.errors == []
    assert list(differences(before, database["events"].find_one())) == []


def test_dates_beyond_the_calendar_stay_with_the_option_that_reads_them(
    mongodb_server: MongoServer, database: Documents, tmp_path: Path
) -> None:
    options: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    events = database.get_collection("events", codec_options=options)
    before = [
        {"_id": 1, "at": DatetimeMS(2**62), "on": [DatetimeMS(-(2**62))]},
        {"_id": 2, "at": datetime(2020, 1, 1), "on": [datetime(2020, 1, 1)]},
    ]
    events.insert_many(before)
    text = render_models(report_of({"events": before}, values=True), style="backend")

    outcome = run_modules(
        tmp_path,
        [text],
        uri=mongodb_server.uri,
        database=database.name,
        save=True,
        options={"datetime_conversion": "DATETIME_AUTO"},
    )

    assert "PyMongo reads these only with" in text
    assert (outcome.check, outcome.saved, outcome.errors) == ("", 2, [])
    assert list(events.find(sort=[("_id", 1)])) == before
