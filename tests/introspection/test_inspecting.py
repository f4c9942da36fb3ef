"""Inspecting whole databases, and what goes wrong on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from bson import ObjectId
from pymongo import MongoClient

from djongo_services.embedded.addresses import free_port
from djongo_services.exceptions import CollectionNotFound, PermissionMissing, ServerUnavailable
from djongo_services.introspection import inspect_database, read_catalog
from djongo_services.introspection.examining import Examiner
from djongo_services.introspection.report import Report
from djongo_services.progress import Progress
from tests.introspection.guarded import GuardedServer, guarded_server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedServer]:
    with guarded_server(tmp_path_factory.mktemp("guarded"), "6.0") as server:
        yield server


@contextmanager
def failing(client: MongoClient[Any], namespace: str, **how: Any) -> Iterator[None]:
    """The server's own fail point, for one collection."""
    data = {"failCommands": ["aggregate", "find"], "namespace": namespace, **how}
    fail_point = {"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data}
    client.admin.command(fail_point)
    try:
        yield
    finally:
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def library(database: Any) -> None:
    authors = [{"_id": ObjectId(), "name": f"author {i}"} for i in range(20)]
    database.authors.insert_many(authors)
    database.books.insert_many(
        [
            {"_id": i, "author_id": authors[i % 20]["_id"], "state": ("in", "out")[i % 2]}
            for i in range(60)
        ]
    )
    database.command("create", "lent", viewOn="books", pipeline=[{"$match": {"state": "out"}}])


def names(report: Report) -> list[str]:
    return [one.collection.name for one in report.collections]


@pytest.mark.parametrize("depth", ["sample", "complete", "exact"])
def test_a_database(matrix_database: Any, depth: Any) -> None:
    library(matrix_database)
    report = inspect_database(matrix_database, depth=depth)
    assert (report.database, report.stopped) == (matrix_database.name, None)
    assert names(report) == ["authors", "books", "lent"]
    (reference,) = report["books"].references
    assert (reference.target, reference.checked, reference.found) == ("authors", 20, 20)
    assert [one.code for one in report["books"].warnings] == ["reference-without-index"]
    assert report["lent"].warnings == ()
    profile = report["lent"].profile
    assert profile is not None
    assert profile["state"].types["string"].count == 30
    assert profile["state"].values is None


def test_values_on_request(matrix_database: Any) -> None:
    library(matrix_database)
    profile = inspect_database(matrix_database, values=True)["books"].profile
    assert profile is not None
    assert profile["state"].values is not None
    assert profile["state"].values.enum == (("in", 30), ("out", 30))


def test_one_collection_still_refers_to_the_others(database: Any) -> None:
    library(database)
    report = inspect_database(database, collections=["books"])
    assert names(report) == ["books"]
    assert [one.target for one in report["books"].references] == ["authors"]


def test_excluded_by_pattern(database: Any) -> None:
    library(database)
    assert names(inspect_database(database, exclude=["bo*", "AUTHORS"])) == ["authors", "lent"]
    assert names(inspect_database(database, collections=["books"], exclude=["b??ks"])) == []


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("book", "did you mean 'books'?"),
        ("Authors", "did you mean 'authors'?"),
        ("zzz", "it has 3 others."),
    ],
)
def test_an_unknown_collection(database: Any, name: str, hint: str) -> None:
    library(database)
    with pytest.raises(CollectionNotFound) as caught:
        inspect_database(database, collections=[name])
    assert str(caught.value) == (
        f"There is no collection {name!r} in the database {database.name!r}; {hint}"
    )


def test_an_empty_database(matrix_database: Any) -> None:
    assert inspect_database(matrix_database).collections == ()
    with pytest.raises(CollectionNotFound, match="it is empty"):
        inspect_database(matrix_database, collections=["x"])


def test_an_empty_collection(matrix_database: Any) -> None:
    matrix_database.create_collection("void")
    report = inspect_database(matrix_database, values=True, depth="exact")
    profile = report["void"].profile
    assert profile is not None
    assert (profile.fields, profile.coverage.documents) == ((), 0)
    assert report["void"].warnings == ()


def test_views_that_cannot_be_read(matrix_database: Any) -> None:
    library(matrix_database)
    matrix_database.command("create", "orphan", viewOn="nothing", pipeline=[])
    matrix_database.command("create", "second", viewOn="orphan", pipeline=[])
    broken = [{"$project": {"x": {"$divide": ["$_id", 0]}}}]
    matrix_database.command("create", "broken", viewOn="books", pipeline=broken)
    report = inspect_database(matrix_database, values=True)
    assert names(report) == ["authors", "books", "broken", "lent", "orphan", "second"]
    for name in ("orphan", "second"):
        assert report[name].profile is None
        (warning,) = report[name].warnings
        assert warning.code == "unreadable"
        assert warning.message == (
            f"'{name}' cannot be read: it is a view on 'nothing', which does not exist; "
            f"create that or drop the view."
        )
    (warning,) = report["broken"].warnings
    assert (warning.code, report["broken"].profile) == ("unreadable", None)
    assert "divide by zero" in warning.message
    assert report["books"].references


@pytest.mark.parametrize("name", ["a..b", "trailing."])
def test_a_name_that_pymongo_refuses(matrix_database: Any, name: str) -> None:
    library(matrix_database)
    matrix_database.command({"insert": name, "documents": [{"x": 1}]})
    report = inspect_database(matrix_database, values=True)
    assert names(report) == sorted(["authors", "books", "lent", name])
    assert [one.message for one in report[name].warnings] == [
        f"{name!r} cannot be read: PyMongo refuses its name; "
        f"rename it with the server's command renameCollection."
    ]
    assert report[name].collection.statistics is not None
    assert report[name].collection.statistics.count == 1
    assert report["books"].references


def test_a_collection_that_is_dropped_in_between(database: Any) -> None:
    library(database)

    def drop(told: Progress) -> None:
        if told.collection == "authors":
            database.drop_collection("books")

    # With a sample that small, one collection after the other.
    report = inspect_database(database, sample=5, progress=drop)
    (warning,) = report["books"].warnings
    assert warning.message == "'books' cannot be read: it was dropped in the meantime."
    assert report["authors"].profile is not None


def test_a_small_collection_that_is_dropped_in_between(database: Any) -> None:
    library(database)
    catalog = read_catalog(database)
    examiner = Examiner(
        database=database,
        catalog=catalog,
        depth="sample",
        sample=1000,
        values=False,
        show_secrets=False,
    )
    (books,) = (one for one in catalog.collections if one.name == "books")
    database.drop_collection("books")
    examined = examiner.examine_small(books, threading.Event())
    assert examined is not None
    assert examined.profile is None
    assert examined.unreadable is not None
    assert examined.unreadable.message.endswith("it was dropped in the meantime.")


def test_a_small_collection_that_has_grown_in_between(database: Any) -> None:
    """The catalog's count is outdated by then; the collection is sampled like any other large
    one."""
    library(database)

    catalog = read_catalog(database)
    examiner = Examiner(
        database=database,
        catalog=catalog,
        depth="sample",
        sample=30,
        values=False,
        show_secrets=False,
    )
    (books,) = (one for one in catalog.collections if one.name == "books")
    database.books.insert_many([{"_id": 1000 + i} for i in range(100)])
    assert examiner.examine_small(books, threading.Event()) is None


def test_stopped_in_the_middle(database: Any) -> None:
    library(database)
    stop = threading.Event()

    def stop_at_books(told: Progress) -> None:
        if (told.phase, told.done, told.total) == ("sample", 2, 2):
            stop.set()

    report = inspect_database(database, progress=stop_at_books, stop=stop)
    assert report.stopped == "The inspection was stopped. 2 of 3 collections were read."
    assert names(report) == ["authors", "books", "lent"]
    assert (report["lent"].profile, report["lent"].warnings) == (None, ())
    assert report["lent"].collection.view_on == "books"


def test_progress_names_its_phases(database: Any) -> None:
    library(database)
    told: list[Progress] = []
    inspect_database(database, values=True, progress=told.append)
    phases = list(dict.fromkeys(one.phase for one in told))
    assert phases == ["catalog", "sample", "values", "references", "warnings"]


def test_a_connection_lost_in_the_middle(database: Any) -> None:
    """Small collections are read first, and the books are too many to be one of them; but both are
    read at the same time, and the lost connection may be that of the authors, too."""
    library(database)
    with failing(database.client, f"{database.name}.books", closeConnection=True):
        report = inspect_database(database, sample=30)
    read = [one.collection.name for one in report.collections if one.profile]
    assert read in (["authors"], [])
    assert [one.name for one in report["books"].collection.indexes] == ["_id_"]
    assert report.stopped is not None
    assert report.stopped.startswith("The connection to the server was lost: ")
    assert report.stopped.endswith(f" {len(read)} of 3 collections were read.")


def test_an_unreachable_server() -> None:
    port = free_port()
    with MongoClient[Any](
        f"mongodb://someone:secret@127.0.0.1:{port}/", serverSelectionTimeoutMS=200
    ) as client:
        with pytest.raises(ServerUnavailable) as caught:
            inspect_database(client.anything)
    assert str(caught.value) == (
        f"No MongoDB server answered at 127.0.0.1:{port} within 0.2 seconds; "
        f"check that it is running and that the address is right."
    )


def test_a_wrong_password(guarded: GuardedServer) -> None:
    uri = f"mongodb://root:wrong@127.0.0.1:{guarded.port}/"
    with MongoClient[Any](uri) as client, pytest.raises(PermissionMissing) as caught:
        inspect_database(client.anything)
    assert str(caught.value) == (
        f"The MongoDB server at 127.0.0.1:{guarded.port} refused the user name or the password; "
        f"check both, and authSource."
    )


def test_no_password(guarded: GuardedServer) -> None:
    with MongoClient[Any]("127.0.0.1", guarded.port) as client:
        with pytest.raises(PermissionMissing, match="may not list the collections of 'anything'"):
            inspect_database(client.anything)


def test_a_collection_that_the_user_may_not_read(guarded: GuardedServer) -> None:
    with guarded.client("root") as root:
        library(root.secrets)
    privileges = [
        {"resource": {"db": "secrets", "collection": ""}, "actions": ["listCollections"]},
        {"resource": {"db": "secrets", "collection": "books"}, "actions": ["find"]},
    ]
    with guarded.user(privileges) as client:
        report = inspect_database(client.secrets, values=True)
    assert names(report) == ["authors", "books", "lent"]
    assert report["authors"].profile is None
    assert [one.message for one in report["authors"].warnings] == [
        "'authors' cannot be read: the database user lacks the privilege to read it; "
        "grant the role read."
    ]
    assert report["books"].profile is not None
    assert report["books"].references == ()


def test_system_collections_are_not_profiled(database: Any) -> None:
    database.command("create", "seen", viewOn="things", pipeline=[])
    database.things.insert_one({"_id": 1})
    assert names(inspect_database(database)) == ["seen", "things"]
    with pytest.raises(CollectionNotFound):
        inspect_database(database, collections=["system.views"])
