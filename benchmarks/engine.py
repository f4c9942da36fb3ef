"""The cost of the engine: Django's everyday calls compared with the stock backend, and savepoints.

Two contestants alternate, call by call, and each is first in every other round; medians count.
Everything runs in a separate process, because Django can be set up only once. ``djongo_services``
is not installed, so that the stock backend is as its authors ship it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.transaction import TARGET, Rounds, Row, compared, measured

ROUNDS = 400
"""The number of rounds for each of the repeats."""
LONG_ROUNDS = 20
"""The same for blocks of a hundred writes."""
WRITES = 100
DATABASE = "benchmark_engine"


def run(uri: str, repeats: int = 5) -> list[Row]:
    command = [sys.executable, "-m", "benchmarks.engine", uri, str(repeats)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows: list[Row] = json.loads(done.stdout.splitlines()[-1])
    return rows


def _rows(uri: str, repeats: int) -> list[Row]:
    _configure(uri)
    from django.db import connections

    book = _model()
    database: Any = connections["stock"]
    database.database.client.drop_database(DATABASE)
    try:
        with connections["stock"].schema_editor() as editor:
            editor.create_model(book)
        return [
            *_calls(book, ROUNDS * repeats),
            _two_writes(book, ROUNDS * repeats),
            _savepoint(book, ROUNDS * repeats),
            *_rollbacks(book, LONG_ROUNDS * repeats),
        ]
    finally:
        database.database.client.drop_database(DATABASE)


def _configure(uri: str) -> None:
    import django
    from django.conf import settings

    backends = {"stock": "django_mongodb_backend", "engine": "djongo_services.backend"}
    databases = {
        alias: {"ENGINE": engine, "HOST": uri, "NAME": DATABASE}
        for alias, engine in backends.items()
    }
    settings.configure(
        USE_TZ=True,
        DATABASES={"default": databases["stock"], **databases},
        DEFAULT_AUTO_FIELD="django_mongodb_backend.fields.ObjectIdAutoField",
    )
    django.setup()


def _model() -> Any:
    from django.db import models

    class Book(models.Model):
        title = models.CharField(max_length=40)
        code = models.CharField(max_length=40, null=True, unique=True)
        pages = models.IntegerField(default=0)

        class Meta:
            app_label = "benchmark"

        def __str__(self) -> str:
            return self.title

    return Book


def _calls(book: Any, rounds: int) -> list[Row]:
    """The same calls on both; neither begins a transaction."""
    from django.db import transaction

    kept = book.objects.using("stock").create(title="kept")

    def create(alias: str) -> None:
        book.objects.using(alias).create(title="a book")

    def save(alias: str) -> None:
        kept.pages += 1
        kept.save(using=alias)

    def get(alias: str) -> None:
        book.objects.using(alias).get(pk=kept.pk)

    def read_in_block(alias: str) -> None:
        with transaction.atomic(using=alias):
            book.objects.using(alias).get(pk=kept.pk)

    def delete(alias: str) -> None:
        waiting.pop().delete(using=alias)

    everyday = {
        "create()": create,
        "save() of a document that exists": save,
        "get()": get,
        "atomic with one get()": read_in_block,
        "delete()": delete,
    }
    rows = []
    for name, call in everyday.items():
        waiting = [book(title="to delete") for _ in range(2 * rounds + 100)]
        if call is delete:
            book.objects.using("stock").bulk_create(waiting)
        rows.append(_beside_stock(name, call, rounds))
    return rows


def _beside_stock(name: str, call: Callable[[str], None], rounds: int) -> Row:
    contestants = {alias: lambda alias=alias: call(alias) for alias in ("stock", "engine")}
    taken = measured(contestants, rounds)
    return compared(f"{name}, ORM", taken, "engine", "stock", "stock backend", TARGET)


def _two_writes(book: Any, rounds: int) -> Row:
    from django.db import connections, transaction

    stock: Any = connections["stock"]
    stock.ensure_connection()

    def work(alias: str) -> None:
        one = book.objects.using(alias).create(title="a book")
        book.objects.using(alias).filter(pk=one.pk).update(pages=1)

    def by_hand() -> None:
        client = stock.connection
        with client.start_session() as session, session.bind(), session.start_transaction():
            work("stock")

    def in_atomic() -> None:
        with transaction.atomic(using="engine"):
            work("engine")

    taken = measured({"by hand": by_hand, "atomic": in_atomic}, rounds)
    return compared("atomic with two writes, ORM", taken, "atomic", "by hand", "by hand", TARGET)


def _savepoint(book: Any, rounds: int) -> Row:
    """The time that an inner block adds to an outer one, compared with the smallest round trips."""
    from django.db import connections, transaction

    engine: Any = connections["engine"]

    def block(*, savepoint: bool) -> None:
        with transaction.atomic(using="engine"):
            book.objects.using("engine").create(title="outer")
            with transaction.atomic(using="engine", savepoint=savepoint):
                book.objects.using("engine").create(title="inner")

    taken = measured(
        {
            "without": lambda: block(savepoint=False),
            "with": lambda: block(savepoint=True),
            "ping": lambda: engine.connection.admin.command("ping"),
        },
        rounds,
    )
    pairs = zip(taken["with"], taken["without"], strict=True)
    added = statistics.median(ours - peer for ours, peer in pairs) * 1e6
    ping = statistics.median(taken["ping"]) * 1e6
    return _row("savepoint, what it adds", added, "ping", ping, most=1)


def _rollbacks(book: Any, rounds: int) -> list[Row]:
    from django.db import IntegrityError, transaction

    books = book.objects.using("engine")
    books.create(title="taken", code="taken")
    taken: Rounds = {"create": [], "rollback": [], "duplicate": []}
    for _ in range(rounds):
        with transaction.atomic(using="engine"):
            for number in range(WRITES):
                with _timed(taken["create"]):
                    books.create(title=f"book {number}")
            with _timed(taken["duplicate"]):
                try:
                    with transaction.atomic(using="engine"):
                        books.create(title="twice", code="taken")
                except IntegrityError:
                    pass
            with _timed(taken["rollback"]):
                try:
                    with transaction.atomic(using="engine"):
                        books.create(title="gone")
                        raise _Wrong
                except _Wrong:
                    pass
            assert books.filter(title="book 99").exists()
            transaction.set_rollback(True, using="engine")
    create, rollback, duplicate = (
        statistics.median(taken[name]) * 1e6 for name in ("create", "rollback", "duplicate")
    )
    after = f"after {WRITES} writes"
    return [
        _row(f"savepoint rolled back {after}", rollback, "one create()", create, most=4),
        _row(f"duplicate in a savepoint {after}", duplicate, "one create()", create, most=2),
    ]


@contextmanager
def _timed(taken: list[float]) -> Iterator[None]:
    began = time.perf_counter()
    yield
    taken.append(time.perf_counter() - began)


def _row(name: str, ours: float, peer_name: str, peer: float, *, most: float) -> Row:
    return {
        "name": name,
        "ours": ours,
        "peer_name": peer_name,
        "peer": peer,
        "unit": "µs",
        "ratio": ours / peer,
        "target": f"at most {most:g}",
        "reached": ours / peer <= most,
    }


class _Wrong(Exception):
    pass


if __name__ == "__main__":
    print(json.dumps(_rows(sys.argv[1], int(sys.argv[2]))))
