"""What people are warned of, and what not."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId

from djongo_services.introspection.catalog import Collection, Index, Unavailable, Validator
from djongo_services.introspection.path import ELEMENT
from djongo_services.introspection.profiling.values import summarise_values
from djongo_services.introspection.profiling.warnings import find_warnings
from djongo_services.introspection.report import Profile, Reference, Warning
from tests.introspection.profiles_by_hand import profile_of

SCHEMA = {"$jsonSchema": {"required": ["name"], "properties": {"name": {"bsonType": "string"}}}}


def index(name: str, *keys: tuple[str, Any], **options: Any) -> Index:
    definition = {"v": 2, "key": dict(keys), "name": name, **options}
    return Index(name=name, keys=keys, definition=definition)


def warnings(
    database: Any,
    profile: Profile,
    *,
    indexes: Sequence[Index] = (),
    references: Sequence[Reference] = (),
    values: bool = False,
    **collection: Any,
) -> list[Warning]:
    identity = index("_id_", ("_id", 1))
    described = Collection(name="things", indexes=(identity, *indexes), **collection)
    return list(find_warnings(database, described, profile, references, values=values))


def codes(found: Sequence[Warning]) -> list[tuple[str, str | None]]:
    return [(warning.code, warning.path) for warning in found]


def test_nothing_to_say(database: Any) -> None:
    profile = profile_of("things", [{"_id": i, "a": 2**i, "b": None} for i in range(60)])
    assert warnings(database, profile) == []


def test_mixed_types(database: Any) -> None:
    documents = [{"_id": i, "v": "x", "n": i, "z": None} for i in range(8)]
    documents += [{"_id": 8, "v": 3, "n": 1.5, "z": 1}, {"_id": 9, "v": [1, "a"], "n": 1, "z": 2}]
    found = warnings(database, profile_of("things", documents))
    assert found == [
        Warning(
            code="mixed-types",
            message='"v" holds string (80 %), array (10 %), int (10 %); '
            "convert the 2 rarer values or model alternatives.",
            path="v",
            count=2,
        ),
        Warning(
            code="mixed-types",
            message='"v[]" holds int (50 %), string (50 %); '
            "convert the rarer value or model alternatives.",
            path="v[]",
            count=1,
        ),
        Warning(
            code="mixed-types",
            message='"n" holds int (90 %), double (10 %); all are numbers and compare with each '
            "other, but a model has to choose one type.",
            path="n",
            count=1,
        ),
    ]


def test_numbers_of_two_types_beside_strings(database: Any) -> None:
    documents = [{"_id": i, "v": value} for i, value in enumerate([1, 1.5, 2, 2.5, "new"])]
    (found,) = warnings(database, profile_of("things", documents))
    assert found.message == (
        '"v" holds double (40 %), int (40 %), string (20 %); '
        "convert the rarer value or model alternatives."
    )
    assert found.count == 1


def test_near_missing(database: Any) -> None:
    documents: list[dict[str, Any]] = [{"_id": i, "name": "x", "in": {"y": 1}} for i in range(200)]
    documents[3]["nmae"] = "y"
    del documents[7]["name"]
    del documents[8]["in"]["y"]
    found = warnings(database, profile_of("things", documents))
    assert [(one.code, one.message, one.count) for one in found] == [
        (
            "near-missing",
            '"nmae" is in 1 of 200 documents (0.5 %); is the name a slip, or the field a leftover?',
            1,
        ),
        (
            "near-missing",
            '"name" is missing from 1 of 200 documents (0.5 %); fill it in and it can be required.',
            1,
        ),
        (
            "near-missing",
            '"in.y" is missing from 1 of 200 objects (0.5 %); fill it in and it can be required.',
            1,
        ),
    ]


def test_many_rare_fields_are_one_warning(database: Any) -> None:
    documents = [{"_id": i, "attributes": {f"a{i}": 1}} for i in range(60)]
    (found,) = warnings(database, profile_of("things", documents))
    assert (found.code, found.path) == ("near-missing", "attributes")
    assert found.message == (
        '60 fields of "attributes" are each in less than 2 % of the objects: "attributes.a0", '
        '"attributes.a1", "attributes.a2", "attributes.a3", "attributes.a4" and 55 more; '
        "if the names are data, an array of pairs can be indexed."
    )


def test_few_documents_say_nothing_of_missing_fields(database: Any) -> None:
    documents = [{"_id": i, **({"a": 1} if i else {})} for i in range(49)]
    assert warnings(database, profile_of("things", documents)) == []


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([1000], True),
        ([999], False),
        ([200] + [1] * 99, True),
        ([200] * 5, False),
        ([199, 1], False),
    ],
)
def test_unbounded_arrays(database: Any, lengths: list[int], expected: bool) -> None:
    documents = [{"_id": i, "log": [1] * length} for i, length in enumerate(lengths)]
    found = warnings(database, profile_of("things", documents))
    assert codes(found) == ([("unbounded-array", "log")] if expected else [])


def test_deep_nesting_is_told_once(database: Any) -> None:
    deep: Any = {"x": 1, "y": 2}
    for _ in range(10):
        deep = {"n": deep}
    (found,) = warnings(database, profile_of("things", [{"_id": 1, **deep}]))
    assert (found.code, found.path) == ("deep-nesting", "n.n.n.n.n.n.n.n.n.n.x")
    shallow = profile_of("things", [{"_id": 1, "a": deep["n"]["n"]["n"]}])
    assert warnings(database, shallow) == []


def test_numbers_and_dates_as_strings(database: Any) -> None:
    documents = [
        {"_id": i, "n": str(i), "d": f"2024-01-{i:02}", "zip": f"0{i}", "w": "word"}
        for i in range(10, 29)
    ]
    database.things.insert_many(documents)
    profile = summarise_values(database.things, profile_of("things", documents), depth="exact")
    found = warnings(database, profile, values=True)
    assert [(one.code, one.message, one.count) for one in found] == [
        (
            "number-as-string",
            '"n" keeps numbers as strings: "10" sorts before "9"; convert them.',
            19,
        ),
        (
            "date-as-string",
            '"d" keeps dates as strings: the server cannot calculate with them; convert them.',
            19,
        ),
    ]


def test_names_are_quoted_data(database: Any) -> None:
    hostile = 'a"\n<script>'
    documents = [{"_id": 1, hostile: 1}, {"_id": 2, hostile: "x"}]
    (found,) = warnings(database, profile_of("things", documents))
    assert found.message.startswith('"a\\"\\n<script>" holds int (50 %), string (50 %)')
    assert "\n" not in found.message


DATA = [{"_id": 1, "a": 1, "b": {"c": [{"d": 1}]}, "m": {"k": {"x": 1}}, "when": datetime.now(UTC)}]


@pytest.mark.parametrize(
    "key", ["a", "b", "b.c", "b.c.d", "b.c.0.d", "m.anything.x", "$**", "b.$**"]
)
def test_an_index_on_data(database: Any, key: str) -> None:
    profile = profile_of("things", DATA, maps=[("m",)])
    assert warnings(database, profile, indexes=[index("i", (key, 1))]) == []


@pytest.mark.parametrize("key", ["A", "b.d", "b.c.d.e", "b.c.1d", "m.anything.y", "x.$**"])
def test_an_index_without_data(database: Any, key: str) -> None:
    profile = profile_of("things", DATA, maps=[("m",)])
    (found,) = warnings(database, profile, indexes=[index("i", (key, 1))])
    assert (found.code, found.path) == ("index-without-data", "i")
    assert found.message == (
        f'The index "i" is on "{key}", which no document has; correct the name or drop it.'
    )


def test_one_key_of_an_index_without_data(database: Any) -> None:
    profile = profile_of("things", DATA)
    (found,) = warnings(database, profile, indexes=[index("i", ("a", 1), ("x", -1))])
    assert found.message.endswith("correct the name or leave it out of the index.")


def test_a_sample_proves_no_absence(database: Any) -> None:
    profile = profile_of("things", DATA, depth="sample", count=1000)
    assert warnings(database, profile, indexes=[index("i", ("x", 1))]) == []
    assert warnings(database, profile_of("things", []), indexes=[index("i", ("x", 1))]) == []


def test_a_ttl_index_needs_dates(database: Any) -> None:
    profile = profile_of("things", DATA)
    good = index("good", ("when", 1), expireAfterSeconds=60)
    bad = index("bad", ("a", 1), expireAfterSeconds=60)
    found = warnings(database, profile, indexes=[good, bad])
    assert codes(found) == [("ttl-without-dates", "bad")]


def test_indexes_that_djongo_broke(database: Any) -> None:
    profile = profile_of("things", DATA)
    indexes = [index("i", ('"a"', 1)), index("j", ("a DESC", 1)), index("k", ("a", 1))]
    found = warnings(database, profile, indexes=indexes)
    assert codes(found) == [("corrupt-index", "i"), ("corrupt-index", "j")]
    assert found[0].message == (
        'The index "i" is on "\\"a\\"", which is a piece of SQL and no path, so no query uses it; '
        "drop it and index the field."
    )


AB = (("a", 1), ("b", 1))


@pytest.mark.parametrize(
    ("indexes", "redundant"),
    [
        ([index("a", ("a", 1)), index("ab", *AB)], ["a"]),
        ([index("ab", *AB), index("a", ("a", -1))], ["a"]),
        ([index("ab", *AB), index("ab-", ("a", -1), ("b", -1))], ["ab-"]),
        ([index("a", ("a", 1)), index("u", ("a", 1), unique=True)], ["a"]),
        ([index("id", ("_id", -1))], ["id"]),
        ([index("ab", *AB), index("a-b", ("a", 1), ("b", -1))], []),
        ([index("b", ("b", 1)), index("ab", *AB)], []),
        ([index("a", ("a", 1), unique=True), index("ab", *AB)], []),
        ([index("a", ("a", 1), sparse=True), index("ab", *AB)], []),
        ([index("a", ("a", 1), hidden=True), index("ab", *AB)], []),
        ([index("a", ("a", 1), expireAfterSeconds=9), index("ab", *AB)], []),
        ([index("a", ("a", 1), partialFilterExpression={"a": 1}), index("ab", *AB)], []),
        ([index("a", ("a", 1)), index("ab", *AB, partialFilterExpression={"a": 1})], []),
        ([index("a", ("a", 1)), index("ab", *AB, sparse=True)], []),
        ([index("a", ("a", 1)), index("ab", *AB, hidden=True)], []),
        ([index("a", ("a", 1)), index("ab", *AB, collation={"locale": "de"})], []),
        ([index("a", ("a", "hashed")), index("ab", *AB)], []),
        ([index("a", ("a", 1)), index("w", ("$**", 1))], []),
    ],
)
def test_redundant_indexes(database: Any, indexes: list[Index], redundant: list[str]) -> None:
    profile = profile_of("things", [{"_id": 1, "a": datetime.now(UTC), "b": 1}])
    found = warnings(database, profile, indexes=indexes)
    assert codes(found) == [("redundant-index", name) for name in redundant]


REFERENCE = Reference(path=("person_id",), target="people", checked=10, found=10, complete=True)


@pytest.mark.parametrize(
    ("indexes", "expected"),
    [
        ([], True),
        ([index("i", ("person_id", 1))], False),
        ([index("i", ("person_id", -1), ("x", 1))], False),
        ([index("i", ("person_id", "hashed"))], False),
        ([index("i", ("$**", 1))], False),
        ([index("i", ("person_id", 1), partialFilterExpression={"person_id": {"$gt": 0}})], False),
        ([index("i", ("x", 1), ("person_id", 1))], True),
        ([index("i", ("person_id", 1), hidden=True)], True),
        ([index("i", ("person_id", 1), partialFilterExpression={"x": 1})], True),
        ([index("i", ("person_id", "text"))], True),
    ],
)
def test_references_without_an_index(database: Any, indexes: list[Index], expected: bool) -> None:
    profile = profile_of("things", [{"_id": 1, "person_id": 1, "x": 1}])
    found = warnings(database, profile, indexes=indexes, references=[REFERENCE])
    assert codes(found) == ([("reference-without-index", "person_id")] if expected else [])


def test_no_index_is_asked_of_a_view_or_where_indexes_are_unknown(database: Any) -> None:
    profile = profile_of("things", [{"_id": 1, "person_id": 1}])
    assert warnings(database, profile, references=[REFERENCE], type="view") == []
    unknown = (Unavailable(what="indexes", reason="not allowed"),)
    assert warnings(database, profile, references=[REFERENCE], unavailable=unknown) == []


def test_dangling_references_have_examples(matrix_database: Any) -> None:
    person = ObjectId()
    matrix_database.people.insert_one({"_id": person})
    documents = [
        {"_id": 1, "ids": [person]},
        {"_id": 2, "ids": [ObjectId()]},
        {"_id": 3, "ids": []},
        {"_id": 4, "ids": None},
        {"_id": 5},
    ]
    matrix_database.things.insert_many(documents)
    reference = Reference(
        path=("ids", ELEMENT), target="people", many=True, checked=2, found=1, complete=True
    )
    profile = profile_of("things", documents)
    indexes = [index("i", ("ids", 1))]
    (found,) = warnings(
        matrix_database, profile, indexes=indexes, references=[reference], values=True
    )
    assert found == Warning(
        code="dangling-reference",
        message='"ids[]" refers to documents of "people", but 1 of its 2 distinct values has none '
        "there; clear them or restore what they refer to.",
        path="ids[]",
        examples=(2,),
    )
    (found,) = warnings(matrix_database, profile, indexes=indexes, references=[reference])
    assert found.examples == ()


def test_values_of_two_targets_together_do_not_dangle(database: Any) -> None:
    profile = profile_of("things", [{"_id": 1, "x": 1}])
    both = [
        replace(REFERENCE, path=("x",), target=name, checked=10, found=5) for name in ("a", "b")
    ]
    found = warnings(database, profile, references=both, indexes=[index("i", ("x", 1))])
    assert found == []


def validated(database: Any, count: int, **validator: Any) -> list[Warning]:
    documents: list[dict[str, Any]] = [{"_id": i, "name": "x"} for i in range(count, count + 5)]
    documents += [{"_id": i, "name": i} for i in range(count)]
    database.things.insert_many(documents)
    depth = validator.pop("depth", "exact")
    profile = profile_of("things", documents, depth=depth)
    found = warnings(database, profile, validator=Validator(query=SCHEMA, **validator))
    return [warning for warning in found if warning.code.startswith("validator")]


def test_documents_that_a_validator_refuses(matrix_database: Any) -> None:
    assert validated(matrix_database, 7) == [
        Warning(
            code="validator-violations",
            message="7 documents do not satisfy the collection's validator; "
            "the next update of any of them is refused.",
            count=7,
            examples=(0, 1, 2, 3, 4),
        )
    ]


@pytest.mark.parametrize(
    ("validator", "consequence"),
    [
        ({"action": "warn"}, "it only warns in the server's log"),
        ({"level": "moderate"}, "they can still be updated (validationLevel moderate)"),
    ],
)
def test_what_a_validator_does(database: Any, validator: dict[str, Any], consequence: str) -> None:
    (found,) = validated(database, 1, **validator)
    assert found.message == (
        f"1 document does not satisfy the collection's validator; {consequence}."
    )


def test_a_validator_that_is_off(database: Any) -> None:
    assert [one.code for one in validated(database, 1, level="off")] == [
        "validator-off",
        "validator-violations",
    ]


def test_a_validator_that_all_satisfy(matrix_database: Any) -> None:
    assert validated(matrix_database, 0) == []


def test_a_sample_counts_violations_up_to_a_bound(database: Any) -> None:
    (found,) = validated(database, 1200, depth="sample")
    assert found.count == 1000
    assert found.message.startswith("At least 1,000 documents do not satisfy")


def test_stopped(database: Any) -> None:
    stop = threading.Event()
    stop.set()
    documents = [{"_id": 1, "v": 1}, {"_id": 2, "v": "x"}]
    described = Collection(name="things", validator=Validator(query=SCHEMA))
    found = find_warnings(
        database, described, profile_of("things", documents), (), values=True, stop=stop
    )
    assert codes(found) == [("mixed-types", "v")]
