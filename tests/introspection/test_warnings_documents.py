"""The documents that cause warnings, and those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from djongo_services.introspection.profiling.values import summarise_values
from djongo_services.introspection.report import Finding
from tests.introspection.profiles_by_hand import profile_of
from tests.introspection.warned import codes, warnings


def test_nothing_to_say(database: Any) -> None:
    profile = profile_of("things", [{"_id": i, "a": 2**i, "b": None} for i in range(60)])
    assert warnings(database, profile) == []


def test_mixed_types(database: Any) -> None:
    documents = [{"_id": i, "v": "x", "n": i, "z": None} for i in range(8)]
    documents += [{"_id": 8, "v": 3, "n": 1.5, "z": 1}, {"_id": 9, "v": [1, "a"], "n": 1, "z": 2}]
    found = warnings(database, profile_of("things", documents))
    assert found == [
        Finding(
            code="mixed-types",
            message='"v" holds string (80 %), array (10 %), int (10 %); '
            "normalise the less common types, or model all of them.",
            path="v",
            count=2,
        ),
        Finding(
            code="mixed-types",
            message='"v[]" holds int (50 %), string (50 %); '
            "normalise the less common type, or model both.",
            path="v[]",
            count=1,
        ),
        Finding(
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
        "normalise the less common type, or model both."
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
            '"nmae" is in 1 of 200 documents (0.5 %); likely a typo or an obsolete field.',
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
    documents: list[dict[str, Any]] = [{"_id": 1, hostile: 1}, {"_id": 2, hostile: "x"}]
    (found,) = warnings(database, profile_of("things", documents))
    assert found.message.startswith('"a\\"\\n<script>" holds int (50 %), string (50 %)')
    assert "\n" not in found.message
