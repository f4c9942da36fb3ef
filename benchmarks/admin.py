"""The admin's pages on a database of 500 collections, beside the bare queries that they make.

A page is a whole request to Django, from the URL to the HTML, by a superuser of a project of kind B
(SQLite in memory). It runs in a process of its own, because Django is set up but once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from pymongo import IndexModel, MongoClient
from pymongo.database import Database

COLLECTIONS = 500
DATABASE = "benchmark_admin"
TARGET_MS = 300.0
ONE = "collection_007"

Document = dict[str, Any]
Visit = Callable[[], object]


def run(uri: str, repeats: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.admin", uri, str(repeats)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def measured(uri: str, repeats: int) -> list[dict[str, Any]]:
    _configure(uri)
    with MongoClient[Document](uri) as client:
        client.drop_database(DATABASE)
        _fill(client[DATABASE])
        try:
            pages = _pages()
            bare = _bare(client[DATABASE])
            seconds = _interleaved({**pages, **bare}, repeats)
        finally:
            client.drop_database(DATABASE)
    return [_row(name, seconds) for name in pages]


def _configure(uri: str) -> None:
    import django
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="benchmark",
        USE_TZ=True,
        ROOT_URLCONF="tests.admin.urls",
        STATIC_URL="/static/",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "djongo_services",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DJONGO_SERVICES={"CONNECTIONS": {"default": {"HOST": uri, "NAME": DATABASE}}},
    )
    django.setup()


def _fill(database: Database[Document]) -> None:
    """Three indexes each, a validator that a few documents violate, and a kept profile of one."""
    for number in range(COLLECTIONS):
        collection = database[f"collection_{number:03d}"]
        collection.insert_many([{"a": n, "b": [n, 1], "c": {"d": str(n)}} for n in range(20)])
        collection.create_indexes([IndexModel("a"), IndexModel([("b", 1), ("a", -1)])])
    database.command("collMod", ONE, validator={"a": {"$lt": 15}})
    database[ONE].insert_many(
        [{"a": n, "c": {"d": str(n)}} for n in range(10_000)], bypass_document_validation=True
    )


def _pages() -> Mapping[str, Visit]:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    root = "/admin/djongo_services/collection/"
    one = f"{root}default_2F{ONE.replace('_', '_5F')}/"
    _take_profile(client, one)

    def visit(url: str) -> Visit:
        def get() -> None:
            response = client.get(url)
            assert response.status_code == 200, response
            assert b"mongo-trouble" not in response.content, url

        return get

    urls = {
        "dashboard": root,
        "dashboard, last page": f"{root}?p=10",
        "dashboard, one name": f"{root}?q=007",
        "indexes": f"{one}change/",
        "schema": f"{one}schema/",
        "validator": f"{one}validator/",
        "plan": f"{root}plan/",
        "runs": f"{root}runs/",
        "transactions": "/admin/djongo_services/transaction/",
    }
    return {name: visit(url) for name, url in urls.items()}


def _take_profile(client: Any, one: str) -> None:
    client.post(f"{one}schema/start/", {"depth": "exact"})
    while client.get(f"{one}schema/progress/").json()["run"]["is_running"]:
        time.sleep(0.1)


def _bare(database: Database[Document]) -> Mapping[str, Visit]:
    """The same from the server, without anything done with it."""

    def listed() -> list[str]:
        return sorted(database.list_collection_names())

    def sizes(names: list[str]) -> object:
        stage = {"$collStats": {"storageStats": {}}}
        return [
            (list(database[name].list_indexes()), list(database[name].aggregate([stage])))
            for name in names
        ]

    def one() -> object:
        usage = list(database[ONE].aggregate([{"$indexStats": {}}]))
        return usage, sizes([ONE])

    violating = {"$nor": [{"a": {"$lt": 15}}]}

    def violators() -> object:
        found = database[ONE].find(violating, {"_id": 1}).limit(20)
        return database[ONE].count_documents(violating), list(found)

    return {
        "dashboard, bare": lambda: (database.command("dbStats"), sizes(listed()[:50])),
        "dashboard, last page, bare": lambda: (database.command("dbStats"), sizes(listed()[450:])),
        "dashboard, one name, bare": lambda: (database.command("dbStats"), sizes([ONE])),
        "indexes, bare": one,
        "schema, bare": lambda: (
            sizes([ONE]),
            database["djongo_services_profiles"].find_one({"_id": ONE}),
        ),
        "validator, bare": lambda: (sizes([ONE]), violators()),
        "plan, bare": lambda: database.command("ping"),
        "runs, bare": lambda: list(database["djongo_services_runs"].find().limit(50)),
        "transactions, bare": lambda: list(
            database.client.admin.aggregate(
                [{"$currentOp": {"idleSessions": True}}, {"$match": {"transaction": {}}}]
            )
        ),
    }


def _interleaved(contestants: Mapping[str, Visit], repeats: int) -> Mapping[str, float]:
    """Medians in seconds; one round before is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(repeats + 1):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            if number:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _row(name: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    ours, bare = seconds[name] * 1000, seconds[f"{name}, bare"] * 1000
    return {
        "name": f"admin, {name}",
        "ours": ours,
        "peer_name": "the bare queries, one by one",
        "peer": bare,
        "unit": "ms",
        "ratio": ours / bare,
        "target": f"at most {TARGET_MS:g} ms",
        "reached": ours <= TARGET_MS,
    }


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], int(sys.argv[2]))))
