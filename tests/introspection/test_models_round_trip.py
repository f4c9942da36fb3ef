"""Documents loaded and saved through generated models, on a real server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.introspection.modelling import render_models
from tests.introspection.modelling_oracle import report_of, with_types
from tests.introspection.modelling_project import differences, run_modules

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
"""One value of each type and each odd place that BSON, PyMongo and the backend know."""


@pytest.fixture
def round_trip(mongodb_server: MongoServer, database: Documents, tmp_path: Path) -> Any:
    """Save documents through the models generated for them; what changed, by collection."""

    def save(
        collections: Mapping[str, Iterable[dict[str, Any]]], **options: Any
    ) -> dict[str, list[str]]:
        before = {name: list(documents) for name, documents in collections.items()}
        for name, documents in before.items():
            database[name].insert_many(documents)
        # As PyMongo reads it: the representation of flags and dates is not that of the test.
        before = {name: list(database[name].find()) for name in before}
        text = render_models(report_of(before, **options), style="backend")
        outcome = run_modules(
            tmp_path,
            [text],
            uri=mongodb_server.uri,
            database=database.name,
            save=True,
        )
        assert outcome.errors == [], text
        assert outcome.check == "", text
        assert outcome.saved == sum(map(len, before.values()))
        return {
            name: [
                change
                for old in documents
                for change in differences(old, database[name].find_one({"_id": old["_id"]}))
            ]
            for name, documents in before.items()
        }

    return save


@pytest.mark.parametrize("values", [False, True])
def test_every_type_stays_what_it_is(round_trip: Any, values: bool) -> None:
    alone = {f"c_{key}": [{"_id": 1, key: value}] for key, value in EVERY_TYPE.items()}
    embedded = {
        "embedded": [{"_id": 1, "in": {key: value for key, value in EVERY_TYPE.items() if key}}],
        "listed": [{"_id": 1, "in": [dict(EVERY_TYPE)]}],
    }

    changed = round_trip({**alone, **embedded}, values=values)

    assert {name: changes for name, changes in changed.items() if changes} == {}


def test_documents_of_one_shape_do_not_change_at_all(round_trip: Any) -> None:
    notes = [
        {
            "_id": ObjectId(),
            "title": "Grave 3",
            "writtenAt": datetime(1923, 11, 4, 9, 30),
            "depth": 2.5,
            "finds": [{"name": "bead", "count": 3}, {"name": "sherd", "count": 40}],
            "place": {"name": "Ur", "at": {"type": "Point", "coordinates": [46.1, 30.9]}},
        }
        for _ in range(3)
    ]

    assert round_trip({"notes": notes}) == {"notes": []}


def test_only_the_documented_rewrites_happen(round_trip: Any) -> None:
    people = [
        {"_id": 1, "name": "Ada", "address": {"street": "x", "city": "y"}, "size": 1},
        {"_id": 2, "address": {"city": "y", "zip": None}, "size": Int64(2)},
    ]

    changes = round_trip({"people": people})["people"]

    assert sorted(changes) == [
        "int to long .size",
        "null added .address.street",
        "null added .address.zip",
        "null added .name",
    ]


def test_fields_of_embedded_documents_take_the_order_of_the_class(round_trip: Any) -> None:
    points = [{"_id": 1, "at": {"x": 1, "y": 2}}, {"_id": 2, "at": {"y": 2, "x": 1}}]

    assert round_trip({"points": points}) == {"points": ["order .at"]}


def test_a_map_keeps_its_keys_and_their_order(round_trip: Any) -> None:
    days = [
        {"_id": 1, "map": {"2020-01-02": 1, "2020-01-01": 2}},
        {"_id": 2, "map": {"2021-01-01": Int64(3)}},
    ]

    assert round_trip({"days": days}) == {"days": []}


def test_documents_are_found_by_any_kind_of_key(round_trip: Any) -> None:
    keys: list[list[Any]] = [
        [ObjectId(), ObjectId()],
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
        [1, "1", ObjectId(), Timestamp(1, 1), MinKey()],
    ]
    things = {
        f"things_{number}": [{"_id": key, "n": 1} for key in kind]
        for number, kind in enumerate(keys)
    }

    assert not any(round_trip(things).values())


def test_keys_of_embedded_documents_stay(round_trip: Any) -> None:
    changes = round_trip(
        {
            "lines": [{"_id": 1, "lines": [{"_id": ObjectId(), "n": 1}, {"n": 2}]}],
            "numbered": [{"_id": 1, "lines": [{"_id": 1, "n": 1}, {"_id": "2", "n": 2}]}],
            "nulled": [{"_id": 1, "lines": [{"_id": None, "n": 1}, {"_id": 2, "n": 2}]}],
        }
    )

    assert changes == {"lines": [], "numbered": [], "nulled": []}


def test_fields_that_the_orm_cannot_write_are_left_alone(round_trip: Any) -> None:
    document = {"_id": 1, "a.b": 1, "$price": 2, "": 3, "n": 4}

    assert round_trip({"things": [document]}) == {"things": []}


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
    after = database.get_collection("old", codec_options=options).find_one()
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
