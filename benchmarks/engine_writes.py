"""Many documents, and many writers at once, on the engine, compared with the same without it.

- ``bulk_create()`` of 100,000 objects with the collection's validator and without one.
- A field with a default for a million documents, by a migration's ``AddField`` and by one bare
  ``update_many()``.
- Blocks that read and write the same few rows from several threads, each with an inner block that
  fails, and the same without it: how many commit, and whether an update was lost.

Everything runs in a separate process, because Django can be set up only once.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bson import Decimal128

from djongo_services.embedded import MongoServer

Row = dict[str, Any]

DATABASE = "benchmark_engine_writes"
CACHE = 3
"""In GB."""
BULK = 100_000
DOCUMENTS = 1_000_000
BLOCKS = 1_000
THREADS = 8
COUNTERS = 20
MOST = 3
"""The most repeats; each takes half a minute."""


def run(uri: str, repeats: int = 5) -> list[Row]:
    """Run on a separate server: a transaction has to fit into the server's cache."""
    with MongoServer(cache_gb=CACHE) as server:
        arguments = [server.uri, str(min(repeats, MOST))]
        command = [sys.executable, "-m", "benchmarks.engine_writes", *arguments]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows


def _rows(uri: str, repeats: int) -> list[Row]:
    import django
    from django.conf import settings

    settings.configure(
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "djongo_services.backend", "HOST": uri, "NAME": DATABASE}},
        DEFAULT_AUTO_FIELD="django_mongodb_backend.fields.ObjectIdAutoField",
    )
    django.setup()
    from django.db import connection

    database: Any = connection
    database.ensure_connection()
    database.connection.drop_database(DATABASE)
    book = _model()
    try:
        with connection.schema_editor() as editor:
            editor.create_model(book)
        return [
            _bulk(database, book, repeats),
            _field(database, book, repeats),
            *_contended(book, repeats),
        ]
    finally:
        database.connection.drop_database(DATABASE)


def _model() -> Any:
    from django.db import models

    class Book(models.Model):
        title = models.CharField(max_length=40)
        code = models.CharField(max_length=40, null=True, unique=True)
        pages = models.IntegerField(default=0)
        price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
        published = models.DateTimeField(null=True)

        class Meta:
            app_label = "benchmark"

        def __str__(self) -> str:
            return self.title

    return Book


def _bulk(connection: Any, book: Any, repeats: int) -> Row:
    database = connection.database
    table = book._meta.db_table
    (found,) = database.list_collections(filter={"name": table})
    validator = found["options"]["validator"]
    taken: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(repeats):
        for kind, seconds in taken.items():
            database.command("collMod", table, validator=validator if kind == "with" else {})
            books = [book(title=f"book {number}") for number in range(BULK)]
            began = time.perf_counter()
            book.objects.bulk_create(books)
            seconds.append(time.perf_counter() - began)
            database[table].delete_many({})
    database.command("collMod", table, validator=validator)
    ours, peer = (statistics.median(taken[kind]) * 1e3 for kind in ("with", "without"))
    return _row(f"bulk_create() of {BULK:,}", ours, "without a validator", peer, most=1.25)


def _field(connection: Any, book: Any, repeats: int) -> Row:
    from django.db import models

    table = connection.database[book._meta.db_table]
    extra = models.IntegerField(default=7)
    extra.set_attributes_from_name("extra")
    extra.model = book
    taken: dict[str, list[float]] = {"migration": [], "bare": []}
    _fill(table)

    def migration() -> None:
        with connection.schema_editor() as editor:
            editor.add_field(book, extra)

    def bare() -> None:
        table.update_many({}, {"$set": {"extra": 7}})

    for _ in range(repeats):
        for kind, work in (("migration", migration), ("bare", bare)):
            began = time.perf_counter()
            work()
            taken[kind].append(time.perf_counter() - began)
            with connection.schema_editor() as editor:
                editor.remove_field(book, extra)
            assert table.find_one({"extra": {"$exists": True}}) is None
    table.delete_many({})
    ours, peer = (statistics.median(taken[kind]) * 1e3 for kind in ("migration", "bare"))
    name = f"a field with a default for {DOCUMENTS:,} documents"
    return _row(name, ours, "one update_many()", peer, most=1.3)


def _fill(table: Any) -> None:
    for start in range(0, DOCUMENTS, 20_000):
        documents = [
            {
                "title": f"book {start + n}",
                "code": None,
                "pages": n,
                "price": Decimal128("0"),
                "published": None,
            }
            for n in range(20_000)
        ]
        table.insert_many(documents, ordered=False)


def _contended(book: Any, repeats: int) -> list[Row]:
    book.objects.create(title="taken", code="taken")
    commits: dict[str, list[float]] = {"with": [], "without": []}
    lost = 0
    for _ in range(repeats):
        for kind, counts in commits.items():
            book.objects.filter(code=None).delete()
            counters = [book.objects.create(title=f"counter {n}").pk for n in range(COUNTERS)]
            counts.append(_run_blocks(book, counters, fails=kind == "with"))
            written = sum(book.objects.filter(pk__in=counters).values_list("pages", flat=True))
            lost += int(counts[-1]) - written
    ours, peer = (statistics.median(commits[kind]) for kind in ("with", "without"))
    name = f"commits of {BLOCKS:,} contended blocks, an inner one fails"
    return [
        {
            **_row(name, ours, "none fails", peer, most=1),
            "unit": "blocks",
            "target": "at least 0.9",
            "reached": ours / peer >= 0.9,
        },
        {
            **_row("lost updates of these blocks", lost, "allowed", 1, most=0),
            "peer": 0,
            "unit": "",
            "ratio": None,
            "target": "0",
        },
    ]


def _run_blocks(book: Any, counters: list[Any], *, fails: bool) -> int:
    """The number of blocks that committed; none is retried."""

    def work(seed: int) -> int:
        from django.db import connection

        choose = random.Random(seed)
        try:
            return sum(_block(book, choose.choice(counters), fails) for _ in range(each))
        finally:
            connection.close()

    each = BLOCKS // THREADS
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(work, range(THREADS)))


def _block(book: Any, counter: Any, fails: bool) -> bool:
    from django.db import DatabaseError, IntegrityError, transaction

    try:
        with transaction.atomic():
            one = book.objects.get(pk=counter)
            one.pages += 1
            one.save()
            if fails:
                _fail(lambda: book.objects.create(title="twice", code="taken"), IntegrityError)
    except DatabaseError:
        return False
    return True


def _fail(work: Callable[[], object], error: type[Exception]) -> None:
    from django.db import transaction

    try:
        with transaction.atomic():
            work()
    except error:
        return
    raise AssertionError


def _row(name: str, ours: float, peer_name: str, peer: float, *, most: float) -> Row:
    return {
        "name": name,
        "ours": ours,
        "peer_name": peer_name,
        "peer": peer,
        "unit": "ms",
        "ratio": ours / peer,
        "target": f"at most {most:g}",
        "reached": ours / peer <= most,
    }


if __name__ == "__main__":
    print(json.dumps(_rows(sys.argv[1], int(sys.argv[2]))))
