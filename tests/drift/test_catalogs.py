"""Indexes, options, validators and references that differ."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64, ObjectId

from djongo_services.drift.comparing import compare as compare_reports
from djongo_services.introspection.catalog import Index, Validator
from djongo_services.introspection.rendering.json import render_json
from djongo_services.introspection.report import Reference, Report
from djongo_services.introspection.saved import read_report
from tests.drift.by_hand import counted, differences, doubts, field, lines, report, sampled
from tests.introspection.render_example import index

N = 100


def things(**parts: Any) -> Report:
    return report(field("_id", parents=N, objectId=N), coverage=counted(N), **parts)


def indexed(*indexes: Index) -> Report:
    return things(indexes=(index("_id_", {"_id": 1}), *indexes))


class TestIndexes:
    def test_one_that_came_and_one_that_went(self) -> None:
        one, other = index("a_1", {"a": 1}), index("b_1", {"b": -1}, unique=True)
        assert lines(indexed(one), indexed(other)) == [
            "+ index b_1: b ↓, unique",
            "- index a_1: was a ↑",
        ]

    def test_another_name(self) -> None:
        one, other = index("a_1", {"a": 1}, sparse=True), index("by_a", {"a": 1}, sparse=True)
        assert lines(indexed(one), indexed(other)) == ["~ index by_a name: named a_1 → named by_a"]

    def test_other_keys_under_one_name(self) -> None:
        one, other = index("i", {"a": 1}), index("i", {"a": 1, "b": -1})
        assert lines(indexed(one), indexed(other)) == ["~ index i keys: a ↑ → a ↑, b ↓"]

    def test_other_options(self) -> None:
        one = index("i", {"a": 1}, expireAfterSeconds=60, partialFilterExpression={"a": {"$gt": 1}})
        other = index("i", {"a": 1}, expireAfterSeconds=90, unique=True)
        assert lines(indexed(one), indexed(other)) == [
            "~ index i expireAfterSeconds: 60 → 90",
            '~ index i partialFilterExpression: {"a": {"$gt": 1}} → none',
            "~ index i unique: none → true",
        ]

    def test_what_servers_word_differently_is_the_same(self) -> None:
        one = index("i", {"a": 1}, unique=False, expireAfterSeconds=60, ns="shop.things")
        other = index("i", {"a": 1.0}, expireAfterSeconds=Int64(60), background=True)
        assert differences(indexed(one), indexed(other)) == []

    @pytest.mark.parametrize("odd", [{"a": {"$type": []}}, {"a": {"$type": {"x": 1}}}, {"$and": 1}])
    def test_a_definition_that_no_server_would_have(self, odd: Any) -> None:
        one = index("i", {"a": 1}, partialFilterExpression=odd)
        other = index("j", {"a": 1})
        assert len(lines(indexed(one), indexed(other))) == 2


class TestOptionsAndValidators:
    def test_options(self) -> None:
        one = things(options={"capped": True, "size": 4096, "collation": {"locale": "de"}})
        other = things(options={"collation": {"locale": "en"}, "expireAfterSeconds": 5})
        assert lines(one, other) == [
            "~ collection: capped collection → collection",
            "- option capped: was true",
            '~ option collation: {"locale": "de"} → {"locale": "en"}',
            "+ option expireAfterSeconds: 5",
            "- option size: was 4096",
        ]

    def test_validators_rule_by_rule(self) -> None:
        one = {"properties": {"a": {"bsonType": "int"}, "b": {"maxLength": 5}}}
        other = {"properties": {"a": {"bsonType": ["int", "long"]}}, "required": ["a"]}
        before = things(validator=Validator(query={"$jsonSchema": one}))
        after = things(validator=Validator(query={"$jsonSchema": other}, level="moderate"))
        assert lines(before, after) == [
            "~ validator: strict, error → moderate, error",
            '~ rule a bsonType: "int" → ["int", "long"]',
            "+ rule a required: true",
            "- rule b maxLength: was 5",
        ]

    def test_an_emptied_validator_is_none(self) -> None:
        empty = things(validator=Validator(query={}))
        assert differences(empty, things()) == []
        full = things(validator=Validator(query={"a": 1}))
        assert lines(empty, full) == ["+ validator: strict, error"]
        assert lines(full, empty) == ["- validator: was strict, error"]

    @pytest.mark.parametrize(
        "value",
        [
            ObjectId("6f1e7a306d0c4f6e9d0e0a2f"),
            Int64(5),
            {"$regex": "^a", "$options": "i"},
            {"$oid": "x"},
            {"$type": "string"},
            float("nan"),
        ],
    )
    def test_a_query_of_a_file_is_that_of_the_server(self, value: Any) -> None:
        """Extended JSON and a query of the same look are not taken for each other."""
        live = things(
            validator=Validator(query={"a": value}),
            indexes=(index("i", {"a": 1}, partialFilterExpression={"a": value}),),
            options={"comment": {"a": value}},
        )
        assert differences(read_report(render_json(live)), live) == []


def reference(found: int, checked: int = 100, *, complete: bool = True) -> Reference:
    return Reference(
        path=("author",), target="people", checked=checked, found=found, complete=complete
    )


class TestReferences:
    def test_one_that_broke(self) -> None:
        one, other = things(references=[reference(100)]), things(references=[reference(99)])
        assert lines(one, other) == [
            "~ author: reference to people: all of 100 found → 99 % of 100 found"
        ]

    def test_one_that_is_mended(self) -> None:
        one, other = things(references=[reference(50)]), things(references=[reference(100)])
        assert lines(one, other) == [
            "~ author: reference to people: 50 % of 100 found → all of 100 found  (moved)"
        ]

    def test_one_that_went(self) -> None:
        assert lines(things(references=[reference(100)]), things()) == [
            "- author: reference to people: was all of 100 found"
        ]

    def test_between_samples_it_may_be_chance(self) -> None:
        one = report(
            field("_id", parents=N, objectId=N),
            coverage=sampled(N, of=10_000),
            references=[reference(100, complete=False)],
        )
        found = compare_reports(one, things())
        assert doubts(found) == ["- author: reference to people: was all of 100 found"]
        assert lines(one, things()) == []

    def test_samples_that_differ_by_chance(self) -> None:
        one = things(references=[reference(95, complete=False)])
        other = things(references=[reference(90, complete=False)])
        assert doubts(compare_reports(one, other)) == []
        assert lines(one, other) == []
