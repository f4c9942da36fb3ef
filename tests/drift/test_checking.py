"""``check --database``: a warning of documents that the models refuse, where it is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64
from django.core.checks import run_checks
from pymongo.database import Database

Mongo = Database[dict[str, Any]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def library(database: Mongo, settings: Any) -> Mongo:
    host, port = database.client.address or ("", 0)
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"archive": {"HOST": f"mongodb://{host}:{port}/", "NAME": database.name}},
        "SCHEMA": {"MODELS": {"archive": ["library"]}},
        "INSPECTION": {"CHECK_SHAPES": True},
    }
    database.authors.insert_many([{"_id": Int64(n), "name": f"Author {n}"} for n in range(10)])
    return database


def warnings() -> list[Any]:
    return [one for one in run_checks(databases=["default"]) if one.id == "djongo_services.W024"]


def test_nothing_is_said_of_documents_that_fit(library: Mongo) -> None:
    assert warnings() == []


def test_what_breaks_the_models(library: Mongo) -> None:
    library.authors.update_one({"_id": 3}, {"$set": {"name": 3}})
    (found,) = warnings()
    assert str(found.msg) == (
        "Documents behind the connection 'archive' break the models. authors: name: type int, "
        "10 % of the values; the models accept string."
    )
    assert found.hint == "See manage.py inspectmongo --database archive --against-models."


def test_many_are_a_number(library: Mongo) -> None:
    library.authors.insert_many([{"name": [1]}, {"_id": {}, "name": {}}, {"_id": True}])
    library.visits.insert_one({"at": 5})
    (found,) = warnings()
    assert found.msg.count("authors: ") == 3
    assert found.msg.endswith("; and 5 more.")


def test_only_where_it_is_asked_for(library: Mongo, settings: Any) -> None:
    library.authors.update_one({"_id": 3}, {"$set": {"name": 3}})
    settings.DJONGO_SERVICES = settings.DJONGO_SERVICES | {"INSPECTION": {}}
    assert warnings() == []


def test_only_when_databases_are_checked(library: Mongo) -> None:
    library.authors.update_one({"_id": 3}, {"$set": {"name": 3}})
    assert [one for one in run_checks() if one.id == "djongo_services.W024"] == []


def test_a_name_cannot_steer_the_terminal(library: Mongo) -> None:
    library.authors.insert_one({"name": "x", "\x1b[2J": 1, "_id": "\x1b"})
    (found,) = warnings()
    assert "\x1b" not in found.msg
