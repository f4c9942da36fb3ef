"""The fields that refer to collections, on every supported server."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from bson import Binary, DBRef, ObjectId

from djongo_services.introspection import read_catalog
from djongo_services.introspection.path import ELEMENT
from djongo_services.introspection.profiling.references import find_references
from djongo_services.introspection.report import Reference
from tests.introspection.profiles_by_hand import profile_of

Documents = dict[str, list[dict[str, Any]]]


def filled(database: Any, documents: Documents) -> None:
    for name, content in documents.items():
        database[name].insert_many(content)


def found(
    database: Any, documents: Documents, only: str | None = None, **options: Any
) -> dict[str, tuple[Reference, ...]]:
    profiles = {
        name: profile_of(name, content)
        for name, content in documents.items()
        if only in (None, name)
    }
    return find_references(database, read_catalog(database), profiles, **options)


def people(count: int = 20) -> list[dict[str, Any]]:
    return [{"_id": ObjectId(), "name": f"person {i}"} for i in range(count)]


def test_an_object_id_needs_no_name(matrix_database: Any) -> None:
    persons = people()
    documents = {
        "people": persons,
        "notes": [{"_id": ObjectId(), "by": one["_id"]} for one in persons[:10]],
    }
    filled(matrix_database, documents)
    assert found(matrix_database, documents) == {
        "people": (),
        "notes": (Reference(path=("by",), target="people", checked=10, found=10, complete=True),),
    }


def test_one_collection_is_verified_against_those_not_profiled(matrix_database: Any) -> None:
    persons = people()
    documents = {
        "people": persons,
        "notes": [{"_id": i, "by": one["_id"]} for i, one in enumerate(persons)],
    }
    filled(matrix_database, documents)
    (reference,) = found(matrix_database, documents, only="notes")["notes"]
    assert (reference.target, reference.found) == ("people", 20)


def test_arrays_embedded_documents_and_odd_names(matrix_database: Any) -> None:
    persons = people()
    ids = [one["_id"] for one in persons]
    notes = [
        {
            "_id": i,
            "tag_ids": ids[i : i + 2],
            "meta": {"editor": {"_id": ids[i]}},
            "steps": [{"who": ids[i]}, {"who": ids[0]}],
            "odd.name": ids[i],
        }
        for i in range(10)
    ]
    documents = {"people": persons, "notes": notes}
    filled(matrix_database, documents)
    references = found(matrix_database, documents)["notes"]
    assert {(one.path, one.many, one.checked, one.found) for one in references} == {
        (("meta", "editor", "_id"), False, 10, 10),
        (("odd.name",), False, 10, 10),
        (("steps", ELEMENT, "who"), True, 10, 10),
        (("tag_ids", ELEMENT), True, 11, 11),
    }


def test_dangling_references_are_counted(matrix_database: Any) -> None:
    persons = people()
    notes = [{"_id": i, "by": one["_id"]} for i, one in enumerate(persons)]
    notes += [{"_id": 100 + i, "by": ObjectId()} for i in range(5)]
    documents = {"people": persons, "notes": notes}
    filled(matrix_database, documents)
    (reference,) = found(matrix_database, documents)["notes"]
    assert (reference.checked, reference.found, reference.confidence) == (25, 20, 0.8)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("people", "person_id"),
        ("archive_person", "personId"),
        ("authors", "author_ids"),
        ("categories", "category_id"),
        ("shop_orderLine", "order_line_id"),
        ("Box", "boxId"),
    ],
)
def test_integers_need_the_name(database: Any, target: str, name: str) -> None:
    documents = {
        target: [{"_id": i} for i in range(1, 21)],
        "other": [{"_id": i} for i in range(1, 21)],
        "notes": [{"_id": 100 + i, name: i % 10 + 1, "rating": i % 5 + 1} for i in range(40)],
    }
    filled(database, documents)
    references = found(database, documents)["notes"]
    assert references == (
        Reference(path=(name,), target=target, checked=10, found=10, complete=True),
    )


def test_a_key_of_another_unique_field(matrix_database: Any) -> None:
    persons = [{"_id": ObjectId(), "id": i, "badge": f"B{i}"} for i in range(1, 21)]
    notes = [{"_id": i, "person_id": i, "badge": f"B{i}", "id": i} for i in range(1, 11)]
    filled(matrix_database, {"people": persons, "notes": notes})
    matrix_database.people.create_index("id", unique=True, name="__primary_key__")
    matrix_database.people.create_index("badge", unique=True)
    references = found(matrix_database, {"people": persons, "notes": notes})["notes"]
    assert [(one.path, one.target, one.target_path) for one in references] == [
        (("badge",), "people", "badge"),
        (("person_id",), "people", "id"),
    ]


def test_values_that_match_by_accident_are_no_reference(matrix_database: Any) -> None:
    documents: Documents = {
        "orders": [{"_id": i} for i in range(1, 4)],
        "notes": [{"_id": i, "n": i % 3 + 1, "order": i % 3 + 1, "s": "1"} for i in range(30)],
        "words": [{"_id": "1"}, {"_id": "2"}],
    }
    filled(matrix_database, documents)
    assert found(matrix_database, documents)["notes"] == ()


def test_a_named_field_of_mostly_unknown_values_is_dropped(database: Any) -> None:
    documents: Documents = {
        "people": [{"_id": i} for i in range(5)],
        "notes": [{"_id": i, "person_id": i} for i in range(40)],
    }
    filled(database, documents)
    assert found(database, documents)["notes"] == ()


def test_a_parent_is_in_the_same_collection(matrix_database: Any) -> None:
    nodes = [{"_id": i, "parent_id": i // 2 or None, "depth": i % 3} for i in range(1, 21)]
    filled(matrix_database, {"nodes": nodes})
    (reference,) = found(matrix_database, {"nodes": nodes})["nodes"]
    assert (reference.path, reference.target) == (("parent_id",), "nodes")
    assert (reference.checked, reference.found) == (10, 10)


def test_the_named_collection_wins_over_a_copy(database: Any) -> None:
    persons = people()
    notes = [{"_id": i, "person": one["_id"]} for i, one in enumerate(persons)]
    documents = {"people": persons, "archive": persons, "notes": notes}
    filled(database, documents)
    references = found(database, documents)
    assert [one.target for one in references["notes"]] == ["people"]
    assert references["archive"] == ()


def test_a_path_that_refers_to_several_collections(matrix_database: Any) -> None:
    persons, places = people(), people()
    notes = [{"_id": one["_id"], "about": one["_id"]} for one in persons + places]
    notes = [{**one, "_id": i} for i, one in enumerate(notes)]
    documents = {"people": persons, "places": places, "notes": notes}
    filled(matrix_database, documents)
    references = found(matrix_database, documents)["notes"]
    assert [(one.target, one.checked, one.found) for one in references] == [
        ("people", 40, 20),
        ("places", 40, 20),
    ]


def test_uuids(matrix_database: Any) -> None:
    keys = [Binary.from_uuid(uuid.uuid4()) for _ in range(10)]
    texts = [str(uuid.uuid4()) for _ in range(10)]
    documents: Documents = {
        "devices": [{"_id": key} for key in keys],
        "jobs": [{"_id": text} for text in texts],
        "events": [{"_id": i, "a": keys[i], "b": texts[i]} for i in range(10)],
    }
    filled(matrix_database, documents)
    references = found(matrix_database, documents)["events"]
    assert [(one.path, one.target, one.found) for one in references] == [
        (("a",), "devices", 10),
        (("b",), "jobs", 10),
    ]


def test_dbrefs(matrix_database: Any) -> None:
    persons = people()
    notes: list[dict[str, Any]] = [
        {"_id": i, "by": DBRef("people", one["_id"])} for i, one in enumerate(persons)
    ]
    notes.append({"_id": 50, "by": DBRef("gone", 7)})
    notes.append({"_id": 51, "by": DBRef("people", ObjectId(), "elsewhere")})
    notes.append({"_id": 52, "by": DBRef("people", ObjectId())})
    documents = {"people": persons, "notes": notes}
    filled(matrix_database, documents)
    expected = (
        Reference(path=("by",), target="gone", kind="dbRef", checked=1, found=0, complete=True),
        Reference(path=("by",), target="people", kind="dbRef", checked=21, found=20, complete=True),
    )
    assert found(matrix_database, documents)["notes"] == expected
    assert found(matrix_database, documents, complete=True, sample=10)["notes"][-1] == expected[-1]


def test_a_unique_index_over_the_path_alone(database: Any) -> None:
    persons = people()
    documents = {
        "people": persons,
        "badges": [{"_id": i, "p": one["_id"], "q": one["_id"]} for i, one in enumerate(persons)],
    }
    filled(database, documents)
    database.badges.create_index(
        "p", unique=True, partialFilterExpression={"p": {"$type": "objectId"}}
    )
    database.badges.create_index(["q", "p"], unique=True)
    references = found(database, documents)["badges"]
    assert [(one.path, one.unique) for one in references] == [(("p",), True), (("q",), False)]


def test_the_sample_and_all_of_it(matrix_database: Any) -> None:
    persons = people(1500)
    notes = [{"_id": i, "by": one["_id"]} for i, one in enumerate(persons)]
    notes += [{"_id": 5000 + i, "by": ObjectId()} for i in range(1500)]
    documents = {"people": persons, "notes": notes}
    filled(matrix_database, documents)
    (sampled,) = found(matrix_database, documents, only="notes", sample=100)["notes"]
    assert (sampled.checked, sampled.complete) == (100, False)
    assert 20 < sampled.found < 80
    (whole,) = found(matrix_database, documents, only="notes", sample=100, complete=True)["notes"]
    assert (whole.checked, whole.found, whole.complete) == (3000, 1500, True)


def test_values_are_looked_up_in_batches(database: Any) -> None:
    """Fifty paths and ten collections: the queries follow the collections, not the paths."""
    ids = [ObjectId() for _ in range(20)]
    documents: Documents = {f"c{n}": [{"_id": ObjectId()} for _ in range(3)] for n in range(10)}
    documents["notes"] = [
        {"_id": i, **{f"f{n}": one for n in range(50)}} for i, one in enumerate(ids)
    ]
    filled(database, documents)
    before = _queries(database)
    assert found(database, documents, only="notes")["notes"] == ()
    assert _queries(database) - before <= 15


def test_stopped(database: Any) -> None:
    persons = people()
    documents = {"people": persons, "notes": [{"_id": 1, "by": persons[0]["_id"]}]}
    filled(database, documents)
    stop = threading.Event()
    stop.set()
    assert found(database, documents, stop=stop) == {"people": (), "notes": ()}


def _queries(database: Any) -> int:
    counters = database.client.admin.command("serverStatus")["opcounters"]
    return int(counters["query"]) + int(counters["getmore"])
