"""Profiles of collections as people really have them, and of difficult ones."""

from __future__ import annotations

import threading
from typing import Any

import bson
import pytest
from bson import Int64, ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ServerSelectionTimeoutError

from djongo_services.introspection import profile
from djongo_services.introspection.profiling.closed_schema import json_schema
from djongo_services.progress import Progress

Documents = Database[dict[str, Any]]


def test_a_sample_counts_what_it_saw_and_says_how_far_off_it_may_be(database: Documents) -> None:
    database.people.insert_many({"_id": n, "name": "x"} for n in range(2000))

    result = profile(database.people, sample=100)

    assert result["name"].parents == 100
    assert result["name"].types["string"].count == 100
    assert (result.coverage.reached, result.coverage.proven) == ("sample", False)
    assert result.coverage.documents == 2000
    assert result.coverage.margin == pytest.approx(0.0955, abs=0.001)


def test_a_small_collection_is_read_whole_and_exact_at_any_depth(database: Documents) -> None:
    database.few.insert_many([{"a": 1}, {"a": Int64(1)}, {"a": 1.5}, {}])

    result = profile(database.few)

    assert {name: found.count for name, found in result["a"].types.items()} == {
        "int": 1,
        "long": 1,
        "double": 1,
    }
    assert result["a"].missing == 1
    assert result.coverage.proven
    assert result.coverage.margin is None


def test_an_empty_collection_has_no_fields_and_is_proven(matrix_database: Documents) -> None:
    matrix_database.create_collection("empty")

    result = profile(matrix_database.empty, "complete")

    assert result.fields == ()
    assert result.coverage.proven
    assert json_schema(result) == {"bsonType": "object"}


def test_the_proof_finds_one_odd_document_among_many(matrix_database: Documents) -> None:
    collection = matrix_database.many
    collection.insert_many({"_id": n, "a": {"b": n}, "c": [1]} for n in range(3000))
    collection.update_one({"_id": 1234}, {"$set": {"a.b": "text"}})
    collection.update_one({"_id": 2345}, {"$unset": {"c": 1}})
    collection.insert_one({"_id": "other", "a": {"b": 1, "new": None}, "c": [[1]]})

    result = profile(collection, "complete", sample=20)

    assert set(result["a.b"].types) == {"int", "string"}
    assert result["a.b"].missing == 0
    assert result["c"].missing >= 1
    assert set(result["c[]"].types) == {"int", "array"}
    # One of the twenty at the most, where chance has it in the sample.
    assert 0 < result["a.new"].probability <= 1 / 20
    assert set(result["_id"].types) == {"int", "string"}
    assert result.coverage.proven
    assert result.coverage.examined <= 20 + 5


def test_identifiers_of_every_type_are_all_covered(matrix_database: Documents) -> None:
    collection = matrix_database.mixed
    identities: list[Any] = [*range(300), *(f"s{n}" for n in range(300))]
    identities += [*(ObjectId() for _ in range(300)), *({"k": n} for n in range(300))]
    identities += [None, True, float("nan"), b"bin", bson.MinKey(), bson.MaxKey()]
    collection.insert_many({"_id": each, "n": n} for n, each in enumerate(identities))
    collection.update_one({"_id": "s77"}, {"$set": {"odd": 1}})
    collection.update_one({"_id": {"k": 299}}, {"$set": {"odd": "x"}})

    result = profile(collection, "exact", sample=40)

    assert result.coverage.documents == len(identities)
    assert {n: t.count for n, t in result["odd"].types.items()} == {"int": 1, "string": 1}
    assert result["_id"].types["object"].count == 300


@pytest.mark.parametrize("depth", ["complete", "exact"])
def test_views_are_proven_though_they_have_no_index(matrix_database: Documents, depth: Any) -> None:
    matrix_database.base.insert_many({"_id": n, "a": n} for n in range(1000))
    matrix_database.base.update_many({"_id": {"$gte": 500}}, {"$set": {"b": "x"}})
    matrix_database.create_collection(
        "seen", viewOn="base", pipeline=[{"$match": {"a": {"$gt": 9}}}]
    )

    result = profile(matrix_database.seen, depth, sample=5)

    assert result.coverage.proven
    assert result["a"].parents == 990
    if depth == "exact":
        assert result["b"].present == 500


def test_a_view_over_a_missing_collection_is_empty(database: Documents) -> None:
    database.create_collection("seen", viewOn="missing", pipeline=[])

    assert profile(database.seen, "exact").fields == ()


def test_time_series_clustered_and_capped_collections(database: Documents) -> None:
    from datetime import UTC, datetime

    database.create_collection("series", timeseries={"timeField": "t", "metaField": "m"})
    database.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    database.create_collection("capped", capped=True, size=1_000_000)
    for name in ("series", "clustered", "capped"):
        database[name].insert_many(
            {"_id": n, "t": datetime(2020, 1, 1, tzinfo=UTC), "m": {"s": n % 3}, "v": n}
            for n in range(500)
        )

        result = profile(database[name], "exact", sample=20)

        assert result.coverage.stopped is None
        assert result.coverage.proven
        assert result["v"].types["int"].count == 500, name
        assert result["m.s"].types["int"].count == 500, name


def test_the_deepest_nesting_and_the_largest_document(matrix_database: Documents) -> None:
    collection = matrix_database.deep
    deep: Any = 1
    for level in range(95):
        deep = {"a": deep} if level % 7 else [deep]
    collection.insert_many({"_id": n, "x": 1} for n in range(100))
    collection.insert_one({"_id": "deep", "x": deep})
    collection.insert_one({"_id": "large", "x": "x" * (16 * 1024 * 1024 - 100)})

    result = profile(collection, "exact", sample=5)

    assert result.coverage.stopped is None
    assert max(len(field.path) for field in result.walk()) == 96
    assert result["x"].types["string"].count == 1
    schema = json_schema(result)
    assert collection.count_documents({"$nor": [{"$jsonSchema": schema}]}) == 0
    matrix_database.command("collMod", "deep", validator={"$jsonSchema": schema})


def test_invalid_utf8_and_dates_out_of_range_are_read(matrix_database: Documents) -> None:
    collection = matrix_database.get_collection("broken")
    collection.insert_many({"_id": n} for n in range(200))
    good = bson.encode({"_id": 1000, "text": "ab"})
    collection.insert_one(RawBSONDocument(good.replace(b"ab\0", b"\xff\xfe\0")))
    named = bson.encode({"_id": 1001, "kk": 1, "in": {"kk": 1}})
    collection.insert_one(RawBSONDocument(named.replace(b"kk\0", b"\xff\xfe\0")))
    collection.insert_one({"_id": 1002, "when": bson.datetime_ms.DatetimeMS(2**62)})

    result = profile(collection, "exact", sample=5)

    assert result.coverage.stopped is None
    assert result["text"].types["string"].count == 1
    assert result["when"].types["date"].count == 1
    assert result["\\\\xff\\\\xfe"].types["int"].count == 1
    schema = json_schema(result)
    assert collection.count_documents({"$nor": [{"$jsonSchema": schema}]}) == 0


def test_symbols_and_other_old_types_are_told_apart(database: Documents) -> None:
    raw = bson.encode({"_id": 1, "s": "sym"}).replace(b"\x02s\0", b"\x0es\0")
    database.old.insert_one(RawBSONDocument(raw))
    raw = bson.encode({"_id": 2, "u": None}).replace(b"\x0au\0", b"\x06u\0")
    database.old.insert_one(RawBSONDocument(raw))

    result = profile(database.old)

    assert set(result["s"].types) == {"symbol"}
    assert set(result["u"].types) == {"undefined"}


def test_binary_subtypes_and_dbrefs_are_counted_by_the_server(matrix_database: Documents) -> None:
    collection = matrix_database.binaries
    for n in range(300):
        collection.insert_one(
            {
                "b": [bson.Binary(bytes(16), n % 5), bson.Binary(b"x", 128)],
                "r": bson.DBRef("c", n) if n % 3 else {"a": n},
            }
        )

    result = profile(collection, "exact", sample=3)

    counts = {name: found.count for name, found in result["b[]"].types.items()}
    assert counts["binData:user128"] == 300
    assert counts["binData:uuid"] == counts["binData:uuidOld"] == counts["binData"] == 60
    assert counts["binData:old"] == counts["binData:function"] == 60
    assert {n: t.count for n, t in result["r"].types.items()} == {"dbRef": 200, "object": 100}
    assert result["r.a"].parents == 100


def test_stop_ends_the_work_with_what_there_is(database: Documents) -> None:
    database.many.insert_many({"_id": n, "a": n} for n in range(30_000))
    stop = threading.Event()

    def at_the_proof(progress: Progress) -> None:
        if progress.phase == "proof":
            stop.set()

    result = profile(database.many, "exact", sample=100, progress=at_the_proof, stop=stop)

    assert result["a"].types
    assert result.coverage.reached != "exact"
    assert result.coverage.stopped == "The profile of many was stopped before its end."


def test_an_interrupt_leaves_no_operation_on_the_server(database: Documents) -> None:
    database.slow.insert_many({"_id": n} for n in range(50))
    database.create_collection(
        "seen",
        viewOn="slow",
        pipeline=[
            {
                "$match": {
                    "$expr": {
                        "$function": {
                            "body": "function() { sleep(200); return true; }",
                            "args": [],
                            "lang": "js",
                        }
                    }
                }
            }
        ],
    )

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        profile(database.seen, progress=interrupt)

    running = database.client.admin.aggregate([{"$currentOp": {}}])
    assert [each for each in running if each.get("ns", "").startswith(database.name)] == []


def test_a_collection_dropped_meanwhile_is_said(database: Documents) -> None:
    database.gone.insert_many({"_id": n, "a": n} for n in range(5000))

    def drop(progress: Progress) -> None:
        if progress.phase == "proof":
            database.gone.drop()

    result = profile(database.gone, "exact", sample=10, progress=drop)

    assert result["a"].types
    assert not result.coverage.proven
    assert result.coverage.stopped == (
        "The collection gone was dropped or replaced while it was read."
    )


def test_progress_rises_through_the_phases(database: Documents) -> None:
    database.many.insert_many({"_id": n, "a": [n]} for n in range(30_000))
    seen: list[Progress] = []

    profile(database.many, "exact", sample=100, progress=seen.append)

    phases = list(dict.fromkeys(each.phase for each in seen))
    assert phases == ["sample", "proof", "counts"]
    assert all(0 <= each.done <= 30_000 for each in seen)
    assert seen[-1].rounds >= 1


def test_a_server_that_cannot_be_reached_raises_pymongos_error() -> None:
    with MongoClient[Any]("mongodb://127.0.0.1:1", serverSelectionTimeoutMS=50) as client:
        with pytest.raises(ServerSelectionTimeoutError):
            profile(client.x.y)


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        ({"errorCode": 13}, "The proof ended early: the user may not read many any more."),
        ({"closeConnection": True}, "The proof ended early: the connection to the server was lost"),
        ({"errorCode": 8000}, "The proof ended early: the server answered: "),
    ],
)
def test_a_failure_in_the_middle_gives_the_sample(
    database: Documents, failure: dict[str, Any], sentence: str
) -> None:
    database.many.insert_many({"_id": n, "a": n} for n in range(5000))
    fails: dict[str, Any] = {
        "failCommands": ["find"],
        "namespace": f"{database.name}.many",
        **failure,
    }
    admin = database.client.admin

    def break_it(progress: Progress) -> None:
        if progress.phase == "sample":
            # The first find only looks for the index on _id.
            admin.command("configureFailPoint", "failCommand", mode={"skip": 1}, data=fails)

    try:
        result = profile(database.many, "exact", sample=100, progress=break_it)
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")

    assert result["a"].types
    assert result.coverage.reached == "sample"
    assert result.coverage.stopped is not None
    assert result.coverage.stopped.startswith(sentence)
