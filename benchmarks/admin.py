"""The admin's pages and the demo's landing page, with 4,000 collections and 1,000,000 files.

A page is a whole request to Django, from the URL to the HTML, by a superuser of the demo's project:
its models, sessions and users are in the same database. For comparison, the bare queries that the
page needs are run one after the other. The benchmark runs in a separate process, because Django can
be set up only once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

from pymongo import MongoClient

from benchmarks import admin_collections, admin_files
from benchmarks.page_visits import Seconds, Visit, interleaved

DATABASE = "benchmark_admin"
TARGET_MS = 300.0

Document = dict[str, Any]


def run(uri: str, repeats: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="benchmark-admin-") as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.admin", uri, str(repeats)],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "benchmarks.admin_site",
                "MONGODB_URI": uri,
                "MONGODB_NAME": DATABASE,
                "DEMO_VAR": folder,
            },
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def measured(uri: str, repeats: int) -> list[dict[str, Any]]:
    import django

    django.setup()
    with MongoClient[Document](uri, tz_aware=True) as client:
        client.drop_database(DATABASE)
        try:
            return _measured(client, repeats)
        finally:
            client.drop_database(DATABASE)


def _measured(client: MongoClient[Document], repeats: int) -> list[dict[str, Any]]:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    database = client[DATABASE]
    call_command("migrate", verbosity=0)
    call_command("seed_demo", verbosity=0)
    _told("collections filled", lambda: admin_collections.fill(database))
    _told("files filled", lambda: admin_files.fill(database))
    visitor = Client()
    visitor.force_login(get_user_model()._default_manager.create_superuser("root"))
    pages = {
        **admin_collections.pages(database, visitor),
        **admin_files.pages(database, visitor),
    }
    bare = {**admin_collections.bare(database), **admin_files.bare(database)}
    assert pages.keys() == bare.keys(), pages.keys() ^ bare.keys()
    _say_load()
    ours = {f"ours, {name}": page for name, page in pages.items()}
    peers = {f"peer, {name}": queries for name, queries in bare.items()}
    seconds = _in_turn(ours, peers)
    taken = interleaved(seconds, repeats)
    _say_load()
    return [_row(name, taken) for name in pages]


def _in_turn(ours: Mapping[str, Visit], peers: Mapping[str, Visit]) -> dict[str, Visit]:
    """Each page, followed directly by its bare queries."""
    pairs = zip(ours.items(), peers.items(), strict=True)
    return {name: visit for pair in pairs for name, visit in pair}


def _row(name: str, taken: Mapping[str, Seconds]) -> dict[str, Any]:
    ours, peer = taken[f"ours, {name}"], taken[f"peer, {name}"]
    return {
        "name": f"admin, {name}",
        "ours": ours.median * 1000,
        "first": ours.first * 1000,
        "peer_name": "the bare queries, one by one",
        "peer": peer.median * 1000,
        "unit": "ms",
        "ratio": ours.median / peer.median,
        "target": f"at most {TARGET_MS:g} ms",
        "reached": ours.median <= TARGET_MS,
    }


def _told(what: str, work: Callable[[], object]) -> None:
    started = time.perf_counter()
    work()
    print(f"{what} in {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def _say_load() -> None:
    print(f"load: {' '.join(f'{each:.1f}' for each in os.getloadavg())}", file=sys.stderr)


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], int(sys.argv[2]))))
