"""Generated models serve the data they came from: imports, saving, forms, admin, synchronising.

Any shape can be thrown at ``served.problems``; each test here is one kind of shape. With
``DJONGO_SERVICES_TEST_DATA`` naming a folder of ``*.json`` files (one document a line, in Extended
JSON), each of those is one as well.
"""

from __future__ import annotations

import datetime as dt
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Regex, Timestamp, json_util
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import IndexModel
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.schema.ownership import marked
from tests.introspection.modelling_syntax import body
from tests.introspection.served import Served

FOLDER = os.environ.get("DJONGO_SERVICES_TEST_DATA", "")
FILES = sorted(Path(FOLDER).glob("*.json")) if FOLDER else []


@pytest.fixture(scope="module", params=["backend", "plain"])
def served(request: pytest.FixtureRequest, mongodb_server: MongoServer) -> Iterator[Served]:
    with mongodb_server.client() as client:
        database = client[f"served_{uuid.uuid4().hex}"]
        project = Served(database, mongodb_server.uri, request.param)
        yield project
        project.close()
        client.drop_database(database.name)


NAMES: Mapping[str, Any] = {
    **dict.fromkeys(
        [
            "self",
            "pk",
            "objects",
            "check",
            "_state",
            "save",
            "class",
            "a__b",
            "tail_",
            "id",
            "using",
            "clean",
        ],
        1,
    ),
    **dict.fromkeys(
        [
            "cls",
            "args",
            "kwargs",
            "defaults",
            "None",
            "A",
            "a",
            "_id_",
            "é",
            "e",
            "values",
            "exact",
            "in",
            "len",
        ],
        "x",
    ),
    **dict.fromkeys(
        ["range", "refresh_from_db", "fooBar", "foo_bar", "DoesNotExist", "models"], 2.5
    ),
    **dict.fromkeys(["foo bar", "get_x_display", "2nd", "x" * 100], True),
}


def test_names_that_python_or_django_cannot_have(served: Served) -> None:
    document = {**NAMES, "_id": ObjectId(), "reporter": dict(NAMES), "list": [dict(NAMES)]}

    assert served.problems({"issues": [document]}) == []


@pytest.mark.parametrize("values", [False, True])
def test_empty_values(served: Served, values: bool) -> None:
    inner: dict[str, Any] = {"s": "", "l": [], "m": {}, "n": None, "d": {"s": ""}}
    document = {"names": ["a", ""], "m": {}, "s": "", "e": [], "l": [[], ["x", ""]], "in": inner}
    documents = [{"_id": number, **document, "docs": [{}, inner]} for number in range(60)]

    assert served.problems({"things": documents}, values=values) == []


def test_views_and_collections_with_options(served: Served) -> None:
    def fill(database: Database[Any]) -> None:
        database.orders.insert_many([{"n": 1, "who": "a"}, {"n": 2, "who": "b"}])
        database.command("create", "recent", viewOn="orders", pipeline=[{"$match": {"n": 1}}])
        database.create_collection("log", capped=True, size=5000, max=10)
        database.log.insert_one({"at": dt.datetime(2020, 1, 1), "text": "x"})
        database.log.create_index("text")
        series = {"timeField": "at", "metaField": "sensor", "granularity": "minutes"}
        database.create_collection("weather", timeseries=series, expireAfterSeconds=10**9)
        database.weather.insert_one({"at": dt.datetime(2020, 1, 1), "sensor": {"n": 1}, "t": 1.5})
        database.weather.create_index([("sensor.n", 1), ("at", -1)])
        database.create_collection("unmeasured", timeseries={"timeField": "when"})
        database.create_collection(
            "clustered",
            clusteredIndex={"key": {"_id": 1}, "unique": True},
            expireAfterSeconds=10**9,
        )
        database.clustered.insert_one({"_id": 1, "x": "a"})
        database.create_collection("sorted", collation={"locale": "de", "strength": 1})
        database.sorted.insert_many([{"x": "a"}, {"x": "B"}])
        simple = IndexModel([("x", -1)], name="bytes", collation={"locale": "simple"})
        database.sorted.create_indexes([IndexModel("x"), simple])

    assert served.problems(fill) == []
    for option in ("view=True", "capped=True", "clustered=True", 'meta_field="sensor"'):
        assert option in served.text
    assert 'collation={"locale": "de", "strength": 1}' in served.text


def test_indexes(served: Served) -> None:
    first = {"_id": 1, "a": "x", "b": 1, "c": None, "d": None}
    documents = [first, {"_id": 2, "a": "y", "b": 2, "c": "z", "d": ObjectId()}]
    indexes = [
        IndexModel("a", unique=True),
        IndexModel([("b", -1), ("a", 1)], name="pair"),
        IndexModel("c", unique=True, partialFilterExpression={"c": {"$type": "string"}}),
        IndexModel([("a", "text")], name="words"),
        IndexModel([("$**", 1)], name="all"),
        IndexModel("b", name="some", sparse=True),
        IndexModel("d", unique=True, partialFilterExpression={"d": {"$type": "objectId"}}),
        IndexModel("a", name="some_b", partialFilterExpression={"c": {"$gte": ""}}),
    ]

    assert served.problems({"people": documents}, indexes={"people": indexes}) == []
    assert "Index {" not in served.text


def test_types_that_django_has_no_field_for(served: Served) -> None:
    document = {
        "friend": ObjectId(),
        "ids": [ObjectId()],
        "day": {"at": dt.datetime(2020, 1, 1), "by": ObjectId()},
        "uuid": Binary(b"0" * 16, 4),
        "old": Binary(b"0" * 16, 3),
        "price": Decimal128("1.50"),
        "pattern": Regex("a.*", "i"),
        "stamp": Timestamp(1, 2),
        "long": Int64(2**60),
        "bytes": b"abc",
        "mixed": [1, "a", Int64(2), None],
    }

    assert served.problems({"people": [{"_id": ObjectId(), **document}]}) == []


def test_optional_documents(served: Served) -> None:
    home = {"city": "x", "geo": {"lat": 1.5, "exact": True}, "tags": ["a, b", "c"]}
    documents: list[dict[str, Any]] = [
        {"_id": 1, "home": home, "homes": [{"a": 1}, None, {"a": 2, "b": {"c": 1}}], "o": [home]},
        {"_id": 2},
        {"_id": 3, "home": {"city": None, "geo": None}},
        {"_id": 4, "home": None, "homes": None, "o": None},
        {"_id": 5, "home": {"city": " y ", "tags": []}, "o": [{"city": "z"}, home]},
    ]

    assert served.problems({"people": documents}) == []


def test_an_empty_collection_has_the_fields_of_its_validator(served: Served) -> None:
    properties = {
        "name": {"bsonType": "string", "maxLength": 30, "description": "Full <b>name</b>"},
        "age": {"bsonType": "int", "minimum": 0},
        "state": {"enum": ["new", "old"]},
        "nick": {"type": "string"},
        "tags": {"bsonType": "array", "items": {"bsonType": "string"}},
        "home": {"bsonType": "object", "properties": {"city": {"bsonType": ["string", "null"]}}},
        "size": {"bsonType": ["number", "null"]},
        "any": {},
    }
    schema = {"bsonType": "object", "required": ["name", "age"], "properties": properties}
    valid = {
        "name": "Ada",
        "age": 36,
        "state": "new",
        "nick": "",
        "tags": ["x"],
        "size": 1.5,
        "home": {"city": None},
        "any": None,
    }

    def fill(database: Database[Any]) -> None:
        database.create_collection("people", validator={"$jsonSchema": schema})
        ordered = {"$expr": {"$lte": ["$a", "$b"]}}
        database.create_collection("pairs", validator={"$and": [{"$jsonSchema": schema}, ordered]})
        database.create_collection("bare", validator=ordered)

    def come(database: Database[Any]) -> None:
        for name in ("people", "pairs"):
            database[name].insert_one({"_id": ObjectId(), **valid})

    assert served.problems(fill, come=come) == []
    person = body("people", served.text)
    assert (
        '    name = models.CharField(max_length=30, help_text="Full &lt;b&gt;name&lt;/b&gt;")\n'
        in person
    )
    assert "    # The validator also says minimum: 0.\n    age = models." in person
    assert '    state = models.TextField(choices=[("new", "new"), ("old", "old")]' in person
    assert "    nick = models.TextField(blank=True)\n" in person
    assert "    size = models.FloatField(null=True, blank=True)\n" in person


def test_titles_of_a_validator(served: Served) -> None:
    """The titles in the package's validators are types of columns; titles in others are for human
    readers."""

    def schema(title: str) -> dict[str, Any]:
        name = {"bsonType": "string", "maxLength": 30, "title": title}
        part = {"bsonType": "object", "properties": {"word": dict(name)}, "title": title}
        properties = {"_id": {"bsonType": "objectId"}, "name": name, "part": part}
        return {"$jsonSchema": {"bsonType": "object", "properties": properties}}

    def fill(database: Database[Any]) -> None:
        database.create_collection("theirs", validator=schema("Full name"))
        ours = marked(schema("CharField"), ["shop.Person"])
        database.create_collection("ours", validator=ours)

    assert served.problems(fill) == []
    assert served.text.count('help_text="Full name"') >= 2
    assert 'help_text="CharField"' not in served.text


def test_keys_of_mixed_types(served: Served) -> None:
    keys = [1, "1", ObjectId(), 2.5, {"a": 1}]

    assert served.problems({"things": [{"_id": key, "n": "x"} for key in keys]}) == []


def test_maps_and_deep_documents(served: Served) -> None:
    days = [{f"2020-01-{day:02}": {"n": day} for day in range(1, n + 2)} for n in range(25)]
    deep = {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}
    collections = {
        "days": [{"_id": n, "by_day": each} for n, each in enumerate(days)],
        "deep": [{"_id": 1, "a": deep, "aa": [[[1]], [[2, 3], []]], "m": [{"x": [{"y": None}]}]}],
    }

    assert served.problems(collections) == []


def test_names_of_collections(served: Served) -> None:
    names = ["order", "orders", "Order", "class", "auth.user", "größe-liste", "models", "2020"]

    assert served.problems({name: [{"_id": 1, "x": 1}] for name in names}) == []


@pytest.mark.parametrize("values", [False, True])
def test_numbers_of_two_types(served: Served, values: bool) -> None:
    prices: list[Any] = [1, 2.5, 3.5, 4.0, None]
    documents = [{"_id": n, "price": price, "sizes": prices} for n, price in enumerate(prices)]
    large: list[dict[str, Any]] = [{"_id": 1, "n": Int64(2**60 + 1)}, {"_id": 2, "n": 0.5}]

    assert served.problems({"goods": documents, "large": large}, values=values) == []
    good = body("goods", served.text)
    assert "    # 3 double, 1 int.\n    price = models.FloatField(null=True, blank=True)\n" in good
    assert "FloatField" not in body("large", served.text)


def test_keys_that_refer_to_another_field_than_the_id(served: Served) -> None:
    def fill(database: Database[Any]) -> None:
        database.author.insert_many({"id": n, "name": f"a{n}"} for n in range(1, 6))
        database.author.create_index("id", unique=True, name="__primary_key__")
        books = ({"id": n, "title": f"t{n}", "author_id": n % 5 + 1} for n in range(1, 10))
        database.book.insert_many(books)
        database.book.create_index("id", unique=True, name="__primary_key__")

    assert served.problems(fill) == []
    assert 'to_field="id_field"' in body("book", served.text)
    assert 'db_column="id", unique=True)' in body("author", served.text)


def test_a_field_that_is_not_unique_is_no_target(served: Served) -> None:
    def fill(database: Database[Any]) -> None:
        database.author.insert_many({"id": n, "name": f"a{n}"} for n in range(1, 6))
        database.author.create_index("id")
        database.book.insert_many({"id": n, "author_id": n % 5 + 1} for n in range(1, 10))

    assert served.problems(fill) == []
    assert "to_field" not in served.text


def test_the_models_read_as_written_by_hand(served: Served) -> None:
    companies = [
        {"_id": n, "name": f"company {n}", "state": ["new", "old"][n % 2]} for n in range(50)
    ]
    people = [{"_id": 1, "title": "", "addresses": [{"city": "x"}]}]

    assert served.problems({"companies": companies, "people": people}, values=True) == []
    assert body("companies", served.text).splitlines() == [
        "class Company(models.Model):",
        *KEY[served.style],
        "    # Guessed from the values: max_length.",
        "    name = models.CharField(max_length=10)",
        "    # Guessed from the values: max_length and choices.",
        '    state = models.CharField(max_length=3, choices=[("new", "new"), ("old", "old")])',
        "",
        "    class Meta:",
        "        managed = False",
        '        db_table = "companies"',
        '        verbose_name_plural = "companies"',
        "",
        "    def __str__(self):",
        "        return self.name",
    ]
    person = body("people", served.text)
    assert person.startswith("class Person(models.Model):")
    assert 'verbose_name_plural = "people"' in person
    assert person.endswith("    def __str__(self):\n        return self.title or str(self.pk)")


KEY = {
    "backend": ['    id = models.SmallIntegerField(primary_key=True, db_column="_id")'],
    "plain": ['    id = models.IntegerField(primary_key=True, db_column="_id")'],
}

if FILES:

    @pytest.mark.parametrize("values", [False, True])
    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
    def test_real_data(served: Served, file: Path, values: bool) -> None:
        lines = file.read_text("utf-8").splitlines()
        documents = [json_util.loads(line) for line in lines if line.strip()]

        assert served.problems({file.stem: documents}, values=values) == []


_TEXTS = st.text(st.characters(categories=["L", "N", "P"]), max_size=8)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(-1e6, 1e6),
    _TEXTS,
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)).map(
        lambda moment: moment.replace(microsecond=0)
    ),
    st.integers(-(10**9), 10**9).map(lambda n: Decimal128(str(n))),
    st.builds(Binary, st.binary(min_size=16, max_size=16), st.sampled_from([3, 4, 5])),
    st.just(Regex("a", 0)),
)
_KEYS = st.sampled_from(["a", "b", "A", "_id", "id", "self", "save", "pk", "in", "len", "é", "x_"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_KEYS, inner, max_size=3),
        st.lists(st.dictionaries(st.sampled_from("ab"), inner, max_size=2), max_size=3),
    ),
    max_leaves=8,
)
_DOCUMENTS = st.lists(
    st.dictionaries(_KEYS.filter(lambda key: key != "_id"), _VALUES, max_size=5),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=int(os.environ.get("DJONGO_SERVICES_TEST_EXAMPLES", "25")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(documents=_DOCUMENTS, values=st.booleans())
def test_any_shape(served: Served, documents: Sequence[Mapping[str, Any]], values: bool) -> None:
    numbered = [{"_id": number, **each} for number, each in enumerate(documents)]

    assert served.problems({"things": numbered}, values=values) == [], served.text
