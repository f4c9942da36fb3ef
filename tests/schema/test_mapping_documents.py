"""Plain models as documents and back, and the schema that these documents pass."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import uuid
from decimal import Decimal
from typing import Any, cast

import pytest
from bson import Binary, Decimal128, Int64, decode, encode
from bson.codec_options import CodecOptions
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database
from pymongo.errors import WriteError

from djongo_services.schema.mapping import (
    document_path,
    from_document,
    model_schema,
    to_document,
)
from tests.schema import mapping_values as values
from tests.schema.apps.mapping import plain

MILLISECONDS = values.MOMENTS.map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
KEPT: dict[str, st.SearchStrategy[Any]] = {
    "number": values.integers(1, values.LONG - 1),
    "big": values.integers(-values.LONG, values.LONG - 1),
    "binary": st.binary(min_size=1),
    "boolean": st.none() | st.booleans(),
    "char": values.text(8),
    "date": st.none() | st.dates(),
    "datetime": MILLISECONDS,
    "decimal": values.decimals(30, 5),
    "duration": st.timedeltas(dt.timedelta(days=-100_000_000), dt.timedelta(days=100_000_000)),
    "email": values.EVERYTHING["email"],
    "file": values.text(40, least=0),
    "float": st.floats(allow_nan=False),
    "ip": st.none() | values.ADDRESSES,
    "image": values.text(40, least=0),
    "integer": values.integers(-values.SMALL, values.SMALL - 1),
    "json": values.JSON.filter(lambda value: value == value),
    "letters": st.lists(st.sampled_from("abc"), min_size=1, max_size=9),
    "positive": values.integers(0, values.SMALL - 1),
    "small": values.integers(-(2**15), 2**15 - 1),
    "slug": values.EVERYTHING["slug_unicode"],
    "text": values.TEXT,
    "time": st.times(),
    "url": values.EVERYTHING["url"],
    "uuid": st.uuids(),
    "days": st.lists(st.none() | st.dates(), max_size=3),
}
AWARE: CodecOptions[Any] = CodecOptions(tz_aware=True)
property_test = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def collection(database: Database[dict[str, Any]]) -> Any:
    schema = model_schema(plain.Kept, backend=False, closed=True, rules="model").schema
    return database.create_collection("kept", validator={"$jsonSchema": schema})


@property_test
@given(chosen=st.fixed_dictionaries(KEPT), aware=st.booleans())
def test_round_trip(collection: Any, chosen: dict[str, Any], aware: bool) -> None:
    instance = plain.Kept(**chosen)
    document = to_document(instance)
    found = decode(encode(document), AWARE if aware else None)
    again = from_document(plain.Kept, found)
    for field in plain.Kept._meta.concrete_fields:
        if field.name != "doubled":
            assert getattr(again, field.attname) == getattr(instance, field.attname), field.name
            assert type(getattr(again, field.attname)) is type(getattr(instance, field.attname))
    assert decode(encode(to_document(again))) == decode(encode(document))
    collection.replace_one({"_id": document["_id"]}, document, upsert=True)


@pytest.mark.parametrize("model", [plain.Kept, plain.Defaulted, plain.Pair, plain.Child])
def test_every_server_takes_the_schema(
    matrix_database: Database[dict[str, Any]], model: Any
) -> None:
    for closed in (True, False):
        schema = model_schema(model, backend=False, closed=closed, rules="model").schema
        matrix_database.create_collection(f"c_{closed}", validator={"$jsonSchema": schema})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("uuid", "x"),
        ("uuid", None),
        ("time", "25:00:00"),
        ("time", "12:00"),
        ("The Char", "longer than 8"),
        ("letters", 5),
        ("duration", "1 s"),
        ("decimal", Decimal128("1E+25")),
        ("days", [5]),
        ("positive", -1),
        ("unknown", 1),
    ],
)
def test_refused_on_every_server(
    matrix_database: Database[dict[str, Any]], name: str, value: Any
) -> None:
    schema = model_schema(plain.Kept, backend=False, closed=True, rules="model").schema
    kept = matrix_database.create_collection("kept", validator={"$jsonSchema": schema})
    document = to_document(example())
    kept.insert_one(document)
    with pytest.raises(WriteError) as caught:
        kept.insert_one({**document, "_id": 2, name: value})
    assert caught.value.code == 121


def test_the_layout() -> None:
    assert to_document(example()) == {
        "_id": 1,
        "big": Int64(2),
        "binary": b"\0",
        "boolean": None,
        "The Char": "x",
        "date": dt.datetime(2024, 2, 29, tzinfo=dt.UTC),
        "datetime": dt.datetime(2024, 2, 29, 11, 30, 0, 123000, tzinfo=dt.UTC),
        "decimal": Decimal128("1.50"),
        "duration": Int64(1_000_001),
        "email": "",
        "file": "a/b.txt",
        "float": 0.5,
        "ip": "::1",
        "image": "",
        "integer": 5,
        "json": {"a": [1, None]},
        "letters": "ab",
        "positive": 1,
        "small": 1,
        "slug": "",
        "text": "",
        "time": "08:30:00.000007",
        "url": "",
        "uuid": Binary(bytes(15) + b"\5", 4),
        "days": [],
    }
    stored = decode(encode(to_document(example())))
    assert isinstance(stored["integer"], Int64)
    assert not isinstance(stored["small"], Int64)


def test_what_is_missing_gets_its_default() -> None:
    again = from_document(plain.Kept, {"_id": Int64(7)})
    assert (again.number, again.char, again.date, again.days) == (7, "x", None, [])
    assert type(again.number) is int
    assert again._state.adding


def test_an_unset_key_is_left_to_the_server() -> None:
    assert "_id" not in to_document(plain.Keyed())


def test_a_generated_value_is_kept_once_it_is_known() -> None:
    document = to_document(example())
    assert "doubled" not in document
    again = from_document(plain.Kept, {**document, "doubled": Int64(10)})
    assert again.doubled == 10
    assert to_document(again)["doubled"] == 10


def test_database_defaults() -> None:
    with pytest.raises(ValueError, match=r"mapping\.Defaulted\.computed has no BSON form: its db"):
        to_document(plain.Defaulted())
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    document = to_document(plain.Defaulted(computed=moment))
    assert document == {"literal": 5, "wrapped": "x", "computed": moment}


def test_a_composite_key_is_one_document() -> None:
    pair = plain.Pair(shop_id=uuid.UUID(int=5), day=dt.date(2024, 2, 29))
    document = to_document(pair)
    assert list(document) == ["_id", "seats"]
    assert list(document["_id"]) == ["shop_id", "day"]
    again = from_document(plain.Pair, decode(encode(document)))
    assert (again.pk, again.seats) == ((uuid.UUID(int=5), dt.date(2024, 2, 29)), 1)
    assert (
        document_path(cast("Any", plain.Pair._meta.get_field("shop")), backend=False)
        == "_id.shop_id"
    )
    schema = model_schema(plain.Pair, backend=False, rules="model").schema
    assert schema["properties"]["_id"]["required"] == ["shop_id", "day"]


def test_a_child_is_whole() -> None:
    child = plain.Child(parent_ptr_id=3, id=3, title="t", keyed_id=uuid.UUID(int=1))
    document = to_document(child)
    assert list(document) == ["_id", "title", "keyed_id"]
    again: Any = from_document(plain.Child, decode(encode(document)))
    assert (again.pk, again.id, again.parent_ptr_id, again.title) == (3, 3, 3, "t")
    assert again.keyed_id == uuid.UUID(int=1)
    parent = plain.Parent._meta.get_field("id")
    assert document_path(parent, backend=False, model=plain.Child) == "_id"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"_id": 1, "no": 1, "nor": 2}, r"mapping\.Kept has no field for 'no', 'nor'; remove"),
        ({"integer": "five"}, r"mapping\.Kept\.integer cannot have .*: str is not a number\."),
        ({"integer": 1.5}, r"1\.5 is not a whole number"),
        ({"integer": True}, r"bool is not a number"),
        ({"uuid": b"5"}, r"mapping\.Kept\.uuid cannot have"),
        ({"date": "2024"}, r"mapping\.Kept\.date cannot have"),
        ({"time": "soon"}, r"mapping\.Kept\.time cannot have"),
        ({"json": {"a": Binary(b"x", 5)}}, r"mapping\.Kept\.json cannot have"),
    ],
)
def test_documents_that_are_not_the_models(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_document(plain.Kept, document)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("big", 2**63, "is beyond the 64 bits of a long"),
        ("decimal", Decimal("1" * 35), "has more than the 34 digits of a Decimal128"),
        ("duration", dt.timedelta.max, "is beyond the 64 bits of a long"),
        ("time", dt.time(1, tzinfo=dt.UTC), "a time of day has no time zone"),
        ("json", {"a": [2**70]}, "is beyond the 64 bits of a long"),
        ("json", {"a": object()}, "not JSON serializable"),
    ],
)
def test_values_without_a_bson_form(name: str, value: Any, said: str) -> None:
    instance = example()
    setattr(instance, name, value)
    with pytest.raises(ValueError, match=rf"mapping\.Kept\.{name} has no BSON form: .*{said}"):
        to_document(instance)


def test_naive_times_without_time_zones() -> None:
    with override_settings(USE_TZ=False):
        instance = example()
        instance.datetime = dt.datetime(2024, 2, 29, 8)
        document = decode(encode(to_document(instance)), AWARE)
        assert document["datetime"] == dt.datetime(2024, 2, 29, 8, tzinfo=dt.UTC)
        assert from_document(plain.Kept, document).datetime == instance.datetime


def test_models_of_the_backend_are_the_backends() -> None:
    from tests.schema.apps.mapping.models import Address, Nested, Person

    nested = Nested(person=Person(name="x", address=Address(street="y")))
    with pytest.raises(ValueError, match=r"person has no BSON form: only django-mongodb-backend"):
        to_document(nested)


def test_nothing_of_the_backend_is_imported() -> None:
    code = (
        "import sys; import djongo_services.schema.mapping; "
        "print([name for name in sys.modules if name.startswith('django_mongodb_backend')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def example() -> plain.Kept:
    return plain.Kept(
        number=1,
        big=2,
        binary=memoryview(b"\0"),
        date=dt.date(2024, 2, 29),
        datetime=dt.datetime(
            2024, 2, 29, 12, 30, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=1))
        ),
        decimal=Decimal("1.50"),
        duration=dt.timedelta(seconds=1, microseconds=1),
        file="a/b.txt",
        float=0.5,
        ip="::1",
        integer=5,
        json={"a": (1, None)},
        letters=["a", "b"],
        positive=1,
        small=1,
        time=dt.time(8, 30, 0, 7),
        uuid=uuid.UUID(int=5),
    )
