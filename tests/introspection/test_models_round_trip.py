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
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.introspection.modelling import render_models
from tests.introspection.modelling_oracle import report_of
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
