"""The results of ``--values``, on every supported server."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from djongo_services.introspection.path import ELEMENT, KEY
from djongo_services.introspection.profiling.values import summarise_values
from djongo_services.introspection.report import Profile, ValueSummary
from djongo_services.progress import Progress
from tests.introspection.profiles_by_hand import profile_of


def summarised(database: Any, documents: list[dict[str, Any]], **options: Any) -> Profile:
    database.things.insert_many(documents)
    profile = profile_of("things", documents, maps=options.pop("maps", ()))
    return summarise_values(database.things, profile, **{"depth": "exact", **options})


def values(profile: Profile, name: str) -> ValueSummary:
    found = profile[name].values
    assert found is not None
    return found


def test_numbers_have_bounds_over_all_number_types(matrix_database: Any) -> None:
    numbers = [7, 2.5, Int64(2**40), Decimal128("-1.5"), 7.0]
    profile = summarised(matrix_database, [{"_id": i, "n": n} for i, n in enumerate(numbers)])
    found = values(profile, "n")
    assert (found.minimum, found.maximum) == (Decimal128("-1.5"), 2**40)
    assert (found.distinct, found.distinct_is_bound, found.exact) == (4, False, True)
    assert (found.shortest, found.longest) == (None, None)


def test_bounds_are_of_the_most_frequent_type(matrix_database: Any) -> None:
    documents = [{"_id": i, "v": f"word {i}"} for i in range(5)] + [{"_id": 9, "v": 3}]
    found = values(summarised(matrix_database, documents), "v")
    assert (found.minimum, found.maximum) == ("word 0", "word 4")
    assert found.distinct == 6


def test_an_enumeration_has_every_value_with_its_count(matrix_database: Any) -> None:
    states = ["open"] * 30 + ["done"] * 12 + ["lost"] * 3
    profile = summarised(matrix_database, [{"_id": i, "s": s} for i, s in enumerate(states)])
    found = values(profile, "s")
    assert found.enum == (("open", 30), ("done", 12), ("lost", 3))
    assert (found.distinct, found.constant, found.boolean_like) == (3, False, False)
    assert values(profile, "_id").enum == ()


def test_true_and_one_are_different_values(matrix_database: Any) -> None:
    documents = [{"_id": i, "v": i % 2 == 0 or 1} for i in range(40)]
    found = values(summarised(matrix_database, documents), "v")
    assert sorted(found.enum, key=str) == [(1, 20), (True, 20)]
    assert found.distinct == 2


def test_a_constant(matrix_database: Any) -> None:
    found = values(summarised(matrix_database, [{"_id": i, "v": "x"} for i in range(25)]), "v")
    assert found.constant
    assert found.enum == (("x", 25),)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("Y", "N"), True),
        ((0, 1), True),
        (("0", "1"), True),
        (("up", "down"), False),
        ((1, 2), False),
    ],
)
def test_boolean_like(database: Any, pair: tuple[Any, Any], expected: bool) -> None:
    documents = [{"_id": i, "v": pair[i % 2]} for i in range(10)]
    assert values(summarised(database, documents), "v").boolean_like is expected


def test_real_booleans_are_not_boolean_like(database: Any) -> None:
    documents = [{"_id": i, "v": i % 2 == 0} for i in range(10)]
    assert not values(summarised(database, documents), "v").boolean_like


@pytest.mark.parametrize(
    ("format_name", "examples"),
    [
        ("email", ["a@example.com", "b.c@mail.example.org"]),
        ("url", ["https://example.com", "http://a.b/c?d=e#f"]),
        ("uuid", ["6f1ed002-ab5d-4b1e-8c3b-3f1d9a7c1a10", "6f1ed002ab5d4b1e8c3b3f1d9a7c1a10"]),
        ("date", ["2024-02-29", "1999-12-31"]),
        ("datetime", ["2024-02-29T12:30:00Z", "2024-02-29 12:30:00.123+01:00"]),
        ("objectId", ["507f1f77bcf86cd799439011", "507F1F77BCF86CD799439012"]),
        ("number", ["12", "-3.5", "1e10", "0"]),
        ("slug", ["a-first-post", "news", "year_2024"]),
        ("ip", ["192.168.0.1", "2001:db8::1", "::1"]),
    ],
)
def test_string_formats(matrix_database: Any, format_name: str, examples: list[str]) -> None:
    documents = [{"_id": i, "v": text} for i, text in enumerate(examples)]
    assert values(summarised(matrix_database, documents), "v").formats == {format_name: 1.0}


@pytest.mark.parametrize(
    "text",
    [
        "01234",
        "12:30:00",
        "hello",
        "a b@c.d",
        "999.1.1.1",
        "2024-13-01",
        "d41d8cd98f00b204e9800998ecf8427e",
    ],
)
def test_what_only_looks_like_a_format(database: Any, text: str) -> None:
    assert values(summarised(database, [{"_id": 1, "v": text}]), "v").formats == {}


def test_a_format_that_few_strings_have_is_left_out(database: Any) -> None:
    texts = ["12", "13", "14", "hello there", "and more"] + ["x y"] * 2
    documents = [{"_id": i, "v": text} for i, text in enumerate(texts)]
    assert values(summarised(database, documents), "v").formats == {}
    database.things.drop()
    documents = [{"_id": i, "v": text} for i, text in enumerate(["12", "13", "14", "no no"])]
    assert values(summarised(database, documents), "v").formats == {"number": 0.75}


def test_values_in_arrays_maps_and_embedded_documents(matrix_database: Any) -> None:
    documents = [
        {
            "_id": 1,
            "tags": ["b", "a"],
            "rows": [[1, 2], [30]],
            "orders": [{"items": [{"price": 5}, {"price": 8}]}, {"items": []}],
            "by_day": {"2024-01-01": {"hits": 3}, "2024-01-02": {"hits": 9}},
            "deep": {"er": {"x": 1.5}},
        },
        {"_id": 2, "tags": "no array", "orders": [{"items": [{"price": [99]}]}], "deep": [1]},
    ]
    profile = summarised(matrix_database, documents, maps=[("by_day",)])
    assert (values(profile, "tags[]").minimum, values(profile, "tags[]").maximum) == ("a", "b")
    assert values(profile, "tags").maximum == "no array"
    assert (values(profile, "rows[][]").minimum, values(profile, "rows[][]").maximum) == (1, 30)
    assert values(profile, "orders[].items[].price").maximum == 8
    assert values(profile, "orders[].items[].price[]").maximum == 99
    assert values(profile, "by_day.<key>.hits").maximum == 9
    assert values(profile, "deep.er.x").minimum == 1.5
    assert values(profile, "deep[]").maximum == 1
    assert profile["by_day"].values is None


def test_odd_names_are_names_and_nothing_else(matrix_database: Any) -> None:
    odd: dict[str, Any] = {"a.b": 1, "$where": 2, "": 3, "x y": 4, '"})': 5, "$$ROOT": 6}
    documents = [{"_id": 1, "in": odd, "list": [odd]}]
    profile = summarised(matrix_database, documents)
    for name, value in odd.items():
        for path in (("in", name), ("list", ELEMENT, name)):
            found = next(field for field in profile.walk() if field.path == path)
            assert found.values is not None
            assert found.values.maximum == value


def test_lengths(matrix_database: Any) -> None:
    documents = [
        {"_id": 1, "s": "", "b": Binary(b"abc")},
        {"_id": 2, "s": "née", "b": Binary(b"x" * 5000)},
    ]
    profile = summarised(matrix_database, documents)
    assert (values(profile, "s").shortest, values(profile, "s").longest) == (0, 3)
    assert (values(profile, "b").shortest, values(profile, "b").longest) == (3, 5000)
    assert (values(profile, "b").minimum, values(profile, "b").distinct_is_bound) == (None, True)


def test_long_strings_are_cut(matrix_database: Any) -> None:
    documents = [{"_id": i, "s": "é" * 300_000 + str(i)} for i in range(30)]
    found = values(summarised(matrix_database, documents), "s")
    assert found.maximum == "é" * 256
    assert (found.longest, found.distinct, found.distinct_is_bound) == (300_002, 1, True)
    assert not found.constant
    assert found.enum == ()


def test_text_that_is_not_utf8_is_left_out(matrix_database: Any) -> None:
    raw = bson.encode({"_id": 1, "s": "????", "t": "fine"}).replace(b"????", b"a\xff\xfe\x00")
    matrix_database.things.insert_one(RawBSONDocument(raw))
    documents = [{"_id": i, "s": "a@example.com\0"[:-1], "t": "ok"} for i in range(2, 40)]
    matrix_database.things.insert_many(documents)
    profile = profile_of("things", [*documents, {"_id": 1, "s": "", "t": "fine"}])
    profile = summarise_values(matrix_database.things, profile, depth="exact")
    found = values(profile, "s")
    assert (found.distinct, found.distinct_is_bound, found.enum) == (1, True, ())
    assert found.formats == {"email": 1.0}
    assert values(profile, "t").enum == (("ok", 38), ("fine", 1))


def test_dates_beyond_the_calendar_of_python(matrix_database: Any) -> None:
    far = DatetimeMS(2**62)
    documents = [{"_id": 1, "d": datetime(2024, 1, 2, tzinfo=UTC)}, {"_id": 2, "d": far}]
    matrix_database.things.insert_many(documents)
    profile = profile_of("things", [documents[0]])
    found = values(summarise_values(matrix_database.things, profile, depth="exact"), "d")
    assert (found.minimum, found.maximum) == (datetime(2024, 1, 2, tzinfo=UTC), far)


def test_a_large_collection_is_sampled_at_depth_sample(database: Any) -> None:
    documents = [{"_id": i, "s": "ab"[i % 2], "n": i} for i in range(4000)]
    database.things.insert_many(documents)
    profile = profile_of("things", documents, depth="sample")
    profile = summarise_values(database.things, profile, depth="sample", sample=100)
    assert not values(profile, "s").exact
    assert values(profile, "n").distinct == 100
    assert sum(count for _, count in values(profile, "s").enum) == 100


def test_a_large_collection_is_read_whole_otherwise(matrix_database: Any) -> None:
    documents = [
        {"_id": ObjectId(), "s": "abc"[i % 3], "n": i, "mail": f"u{i}@example.com"}
        for i in range(4000)
    ]
    documents[1234]["s"] = "rare"
    profile = summarised(matrix_database, documents, depth="complete", sample=100)
    found = values(profile, "s")
    assert dict(found.enum) == {"a": 1334, "b": 1332, "c": 1333, "rare": 1}
    assert (found.distinct, found.distinct_is_bound, found.exact) == (4, False, True)
    numbers = values(profile, "n")
    assert (numbers.minimum, numbers.maximum, numbers.distinct_is_bound) == (0, 3999, True)
    assert 100 <= numbers.distinct < 4000
    assert values(profile, "mail").formats == {"email": 1.0}
    identities = values(profile, "_id")
    assert (identities.distinct, identities.distinct_is_bound) == (4000, False)


def test_the_scans_do_not_grow_with_the_paths(database: Any) -> None:
    documents = [{"_id": i, **{f"f{n}": i % 2 for n in range(200)}} for i in range(30)]
    told: list[Progress] = []
    profile = summarised(database, documents, progress=told.append)
    assert len(told) == 2
    assert {(one.phase, one.total) for one in told} == {("values", 30)}
    assert values(profile, "f199").enum == ((0, 15), (1, 15))


def test_stopped_before_it_began(database: Any) -> None:
    stop = threading.Event()
    stop.set()
    profile = summarised(database, [{"_id": 1, "v": 1}], stop=stop)
    assert profile["v"].values is None
    assert profile.coverage.stopped == "Stopped while the values were being summarised."


def test_containers_and_nulls_have_no_values(database: Any) -> None:
    profile = summarised(database, [{"_id": 1, "a": [], "o": {}, "z": None, "m": {"k": [1]}}])
    assert [profile[name].values for name in ("a", "o", "z", "m")] == [None] * 4
    assert profile["m.k[]"].values is not None


def test_the_path_of_a_map_of_scalars(matrix_database: Any) -> None:
    documents = [{"_id": 1, "m": {"a.b": 1, "$x": 7}}]
    profile = summarised(matrix_database, documents, maps=[("m",)])
    found = next(field for field in profile.walk() if field.path == ("m", KEY))
    assert found.values is not None
    assert (found.values.minimum, found.values.maximum) == (1, 7)


def test_keys_beside_fields_of_their_own(matrix_database: Any) -> None:
    documents = [{"_id": 1, "m": {"total": 100, "a": 1, "b": 2}}]
    profile = summarised(matrix_database, documents, maps=[("m",)])
    assert values(profile, "m.total").maximum == 100
    assert values(profile, "m.<key>").maximum == 2
