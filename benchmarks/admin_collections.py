"""The pages about collections in a database with 4,000 of them, and the queries that they need."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bson import MaxKey, MinKey, ObjectId
from pymongo import InsertOne
from pymongo.database import Database

from benchmarks.page_visits import Visit, visit

if TYPE_CHECKING:
    from django.test import Client

COLLECTIONS = 4_000
LARGE = 10_000
"""The number of documents in the one collection whose own pages are visited."""
ONE = "collection_0007"
PER_PAGE = 50
ROOT = "/admin/djongo_services/collection/"
STATISTICS = [{"$collStats": {"storageStats": {}}}]
MODELS = re.compile("archive_|auth_|django_")

Document = dict[str, Any]
Mongo = Database[Document]


def fill(database: Mongo) -> None:
    """Fill the collections: each has an index and five documents; one also has a validator, which
    many documents violate."""

    def make(number: int) -> None:
        name = f"collection_{number:04}"
        # This creates the collection as well: one command instead of two.
        database.command("createIndexes", name, indexes=[{"key": {"a": 1}, "name": "a_1"}])
        database[name].bulk_write([InsertOne(_document(n)) for n in range(5)])

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(make, range(COLLECTIONS)):
            pass
    database[ONE].insert_many([_document(n) for n in range(LARGE)])
    database.command("collMod", ONE, validator={"a": {"$lt": 15}})


def _document(number: int) -> Document:
    return {"a": number, "b": [number, 1], "c": {"d": str(number)}}


def pages(database: Mongo, client: Client) -> Mapping[str, Visit]:
    one = _of(ONE)
    for _ in range(2):
        _take_profile(client, one)
    run = _make_run(client, database)
    first = database[ONE].find_one(sort=[("_id", 1)])
    assert first is not None
    index = f"{one}index/{_index(client, one)}"
    urls = {
        "landing page of the demo": "/",
        "dashboard": ROOT,
        "dashboard, last page": f"{ROOT}?p=1000",
        "dashboard, one name": f"{ROOT}?q=0007",
        "dashboard, different from the models": f"{ROOT}?state=differs",
        "dashboard, of no model": f"{ROOT}?state=free",
        "dashboard, largest first": f"{ROOT}?o=-data",
        "indexes": f"{one}change/",
        "index, its line for a model": f"{index}/declare/",
        "index, drop?": f"{index}/drop/",
        "documents": f"{one}documents/",
        "documents, filtered": f"{one}documents/?f=a&o=gte&t=number&v=9000&count=1",
        "a document": f"{one}document/?id={first['_id']}",
        "schema": f"{one}schema/",
        "schema with values": f"{one}schema/?values=1",
        "what changed since": f"{one}schema/changes/",
        "validator": f"{one}validator/",
        "plan of a collection": f"{_of('archive_loan')}plan/",
        "plan": f"{ROOT}plan/",
        "plan, apply?": f"{ROOT}plan/apply/",
        "runs": f"{ROOT}runs/",
        "a run": f"{ROOT}runs/{run}/",
        "a run, roll back?": f"{ROOT}runs/{run}/rollback/",
        "transactions": "/admin/djongo_services/transaction/",
    }
    return {name: visit(client, url) for name, url in urls.items()}


def _of(name: str) -> str:
    return f"{ROOT}default_2F{name.replace('_', '_5F')}/"


def _take_profile(client: Client, one: str) -> None:
    client.post(f"{one}schema/start/", {"depth": "exact"})
    while client.get(f"{one}schema/progress/").json()["run"]["is_running"]:
        time.sleep(0.1)


def _make_run(client: Client, database: Mongo) -> ObjectId:
    """Apply the plan of one of the demo's collections, so that there is a run."""
    from django.core.management import call_command

    call_command(
        "syncmongoschema", "archive.Person", noinput=True, verbosity=0, stdout=io.StringIO()
    )
    run = database["djongo_services_runs"].find_one(sort=[("_id", -1)])
    assert run is not None
    found: ObjectId = run["_id"]
    return found


def _index(client: Client, one: str) -> str:
    """The digest of its index, as the page's links contain it."""
    html = client.get(f"{one}change/").content.decode()
    (digest,) = set(re.findall(r"/index/([^/]+)/drop/", html))
    return str(digest)


def bare(database: Mongo) -> Mapping[str, Visit]:
    """The same data from the server, without any processing."""
    one, runs = database[ONE], database["djongo_services_runs"]
    profiles = database["djongo_services_profiles"]
    past = database["djongo_services_past_profiles"]
    series = {"_id": {"$gt": {"c": ONE, "r": MinKey()}, "$lt": {"c": ONE, "r": MaxKey()}}}
    violating = {"$nor": [{"a": {"$lt": 15}}]}
    first = one.find_one(sort=[("_id", 1)]) or {}

    def listed() -> list[str]:
        found = (one["name"] for one in database.list_collections(filter={"type": "collection"}))
        return sorted(name for name in found if not name.startswith("system."))

    def free() -> list[str]:
        return [name for name in listed() if not MODELS.match(name)]

    def modelled() -> list[str]:
        return [name for name in listed() if MODELS.match(name)]

    def sizes(names: Iterable[str]) -> object:
        return [
            (list(database[name].list_indexes()), list(database[name].aggregate(STATISTICS)))
            for name in names
        ]

    def indexes(names: Iterable[str]) -> object:
        return [list(database[name].list_indexes()) for name in names]

    def with_totals(names: Iterable[str]) -> object:
        return database.command("dbStats"), sizes(names)

    def usage() -> object:
        return sizes([ONE]), list(one.aggregate([{"$indexStats": {}}]))

    def landing() -> object:
        names = ("note", "person", "place", "medium", "loan")
        counts = [database[f"archive_{name}"].estimated_document_count() for name in names]
        published = {"status": "published"}
        notes = list(database["archive_note"].find(published).sort("recorded_at", -1).limit(5))
        others = (
            database[f"archive_{model}"].find({"_id": {"$in": [note[key] for note in notes]}})
            for model, key in (("person", "author_id"), ("place", "place_id"))
        )
        return counts, [list(found) for found in others]

    above = {"a": {"$gte": 9_000}}

    def run_and_steps() -> object:
        found = runs.find_one(sort=[("_id", -1)]) or {}
        return list(database["djongo_services_run_steps"].find({"run": found.get("_id")}))

    open_ones = [{"$currentOp": {"idleSessions": True}}, {"$match": {"transaction": {}}}]
    return {
        "landing page of the demo": landing,
        "dashboard": lambda: with_totals(listed()[:PER_PAGE]),
        "dashboard, last page": lambda: with_totals(listed()[-PER_PAGE:]),
        "dashboard, one name": lambda: with_totals([ONE]),
        "dashboard, different from the models": lambda: with_totals(modelled()),
        "dashboard, of no model": lambda: with_totals(free()[:PER_PAGE]),
        # The page says that all sizes would have to be read, and is sorted by name until that is
        # requested.
        "dashboard, largest first": lambda: with_totals(listed()[:PER_PAGE]),
        "indexes": usage,
        "index, its line for a model": lambda: sizes([ONE]),
        "index, drop?": usage,
        "documents": lambda: (sizes([ONE]), list(one.find().sort("_id", 1).limit(21))),
        "documents, filtered": lambda: (
            sizes([ONE]),
            list(one.find(above).sort("_id", 1).limit(21)),
            one.count_documents(above),
        ),
        "a document": lambda: (sizes([ONE]), one.find_one({"_id": first["_id"]})),
        "schema": lambda: (sizes([ONE]), profiles.find_one({"_id": ONE})),
        "schema with values": lambda: (sizes([ONE]), profiles.find_one({"_id": ONE})),
        "what changed since": lambda: (sizes([ONE]), list(past.find(series))),
        "validator": lambda: (
            sizes([ONE]),
            one.count_documents(violating),
            list(one.find(violating, {"_id": 1}).limit(20)),
        ),
        "plan of a collection": lambda: sizes(["archive_loan"]),
        "plan": lambda: indexes(modelled()),
        "plan, apply?": lambda: indexes(modelled()),
        "runs": lambda: list(runs.find().sort("_id", -1).limit(50)),
        "a run": run_and_steps,
        "a run, roll back?": run_and_steps,
        "transactions": lambda: list(database.client.admin.aggregate(open_ones)),
    }
