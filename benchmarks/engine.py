"""The cost of the engine: Django's everyday calls compared with the stock backend, and savepoints.

Each engine has a process of its own. That of the stock backend does not import
``djongo_services``, so that the backend is as its authors ship it. The two alternate, ``CALLS``
calls at a time, and each is first in every other round; medians of single calls count.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

TARGET = 1.05
ROUNDS = 20
"""The number of rounds for each of the repeats."""
CALLS = 20
"""The number of calls in a round."""
SINGLE_ROUNDS = ROUNDS * CALLS
"""The number of rounds of single calls, which alternate within one process."""
LONG_ROUNDS = 20
"""The number of rounds of blocks of a hundred writes."""
WRITES = 100
DATABASE = "benchmark_engine"
ENGINES = {"stock": "django_mongodb_backend", "engine": "djongo_services.backend"}
CALL_NAMES = {
    "create": "create()",
    "save": "save() of a document that exists",
    "get": "get()",
    "read_in_block": "atomic with one get()",
    "delete": "delete()",
}

Row = dict[str, Any]
Rounds = dict[str, list[float]]
"""The seconds of single calls, by contestant."""


def run(uri: str, repeats: int = 5) -> list[Row]:
    with _project(uri, "stock") as stock, _project(uri, "engine") as engine:
        stock("begin")
        engine("meet")
        try:
            projects = {"stock": stock, "engine": engine}
            return [
                *(_beside_stock(name, projects, ROUNDS * repeats) for name in CALL_NAMES),
                _two_writes(projects, ROUNDS * repeats),
                engine("savepoint", SINGLE_ROUNDS * repeats),
                *engine("rollbacks", LONG_ROUNDS * repeats),
            ]
        finally:
            stock("end")


Project = Callable[..., Any]
"""``project(name, *args)`` calls a method of :class:`_Calls` in the project's process."""


@contextmanager
def _project(uri: str, engine: str) -> Iterator[Project]:
    """A process whose only database has this engine."""
    command = [sys.executable, "-m", "benchmarks.engine", uri, engine]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, bufsize=1, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def call(name: str, *args: Any) -> Any:
            print(json.dumps([name, *args]), file=requests)
            return json.loads(answers.readline())

        yield call


def _serve(uri: str, engine: str) -> None:
    """Answer each line of the standard input."""
    import django
    from django.conf import settings

    settings.configure(
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": ENGINES[engine], "HOST": uri, "NAME": DATABASE}},
        DEFAULT_AUTO_FIELD="django_mongodb_backend.fields.ObjectIdAutoField",
    )
    django.setup()
    calls = _Calls(_model())
    for line in sys.stdin:
        name, *args = json.loads(line)
        print(json.dumps(getattr(calls, name)(*args)), flush=True)
    ours = "djongo_services" in sys.modules
    assert ours == (engine == "engine"), f"The process of {engine} has the wrong modules."


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


class _Calls:
    """What each of the two processes does."""

    def __init__(self, book: Any) -> None:
        from django.db import connection, transaction

        self.book, self.atomic = book, transaction.atomic
        self.connection: Any = connection
        self.kept: Any = None
        self.waiting: list[Any] = []

    def begin(self) -> None:
        self.connection.ensure_connection()
        self.connection.connection.drop_database(DATABASE)
        with self.connection.schema_editor() as editor:
            editor.create_model(self.book)
        self.kept = self.book.objects.create(title="kept")

    def meet(self) -> None:
        self.connection.ensure_connection()
        self.kept = self.book.objects.get(title="kept")

    def end(self) -> None:
        self.connection.connection.drop_database(DATABASE)

    def timed(self, name: str, calls: int) -> list[float]:
        """The seconds of each of so many calls."""
        call = getattr(self, name)
        if name == "delete":
            self.waiting = [self.book(title="to delete") for _ in range(calls)]
            self.book.objects.bulk_create(self.waiting)
        gc.collect()
        taken = []
        for _ in range(calls):
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
        return taken

    # The same calls on both; none of them begins a transaction of the server.

    def create(self) -> None:
        self.book.objects.create(title="a book")

    def save(self) -> None:
        self.kept.pages += 1
        self.kept.save()

    def get(self) -> None:
        self.book.objects.get(pk=self.kept.pk)

    def read_in_block(self) -> None:
        with self.atomic():
            self.book.objects.get(pk=self.kept.pk)

    def delete(self) -> None:
        self.waiting.pop().delete()

    # The same two writes in a transaction.

    def two_writes(self) -> None:
        one = self.book.objects.create(title="a book")
        self.book.objects.filter(pk=one.pk).update(pages=1)

    def two_writes_by_hand(self) -> None:
        client = self.connection.connection
        with client.start_session() as session, session.bind(), session.start_transaction():
            self.two_writes()

    def two_writes_in_atomic(self) -> None:
        with self.atomic():
            self.two_writes()

    # On the engine only.

    def savepoint(self, rounds: int) -> Row:
        return _savepoint(self.book, self.connection, rounds)

    def rollbacks(self, rounds: int) -> list[Row]:
        return _rollbacks(self.book, rounds)


def _beside_stock(name: str, projects: Mapping[str, Project], rounds: int) -> Row:
    taken = _alternating({each: (projects[each], name) for each in projects}, rounds)
    return _compared(CALL_NAMES[name], taken, "engine", "stock", "stock backend")


def _two_writes(projects: Mapping[str, Project], rounds: int) -> Row:
    contestants = {
        "by hand": (projects["stock"], "two_writes_by_hand"),
        "atomic": (projects["engine"], "two_writes_in_atomic"),
    }
    taken = _alternating(contestants, rounds)
    return _compared("atomic with two writes", taken, "atomic", "by hand", "by hand")


def _alternating(contestants: Mapping[str, tuple[Project, str]], rounds: int) -> Rounds:
    taken: Rounds = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds + 1):
        for name in names:
            project, call = contestants[name]
            seconds = project("timed", call, CALLS)
            taken[name] += seconds if number else []  # the first round warms the caches
        names.reverse()
    return taken


def _compared(name: str, taken: Rounds, ours: str, peer: str, peer_name: str) -> Row:
    medians = {each: statistics.median(taken[each]) * 1e6 for each in (ours, peer)}
    return _row(f"{name}, ORM", medians[ours], peer_name, medians[peer], most=TARGET)


def _savepoint(book: Any, connection: Any, rounds: int) -> Row:
    """The time that an inner block adds to an outer one, compared with the smallest round trips."""
    from django.db import transaction

    from benchmarks.transaction import measured

    def block(*, savepoint: bool) -> None:
        with transaction.atomic():
            book.objects.create(title="outer")
            with transaction.atomic(savepoint=savepoint):
                book.objects.create(title="inner")

    taken = measured(
        {
            "without": lambda: block(savepoint=False),
            "with": lambda: block(savepoint=True),
            "ping": lambda: connection.connection.admin.command("ping"),
        },
        rounds,
    )
    pairs = zip(taken["with"], taken["without"], strict=True)
    added = statistics.median(ours - peer for ours, peer in pairs) * 1e6
    ping = statistics.median(taken["ping"]) * 1e6
    return _row("savepoint, what it adds", added, "ping", ping, most=1)


def _rollbacks(book: Any, rounds: int) -> list[Row]:
    from django.db import IntegrityError, transaction

    books = book.objects
    books.create(title="taken", code="taken")
    taken: Rounds = {"create": [], "rollback": [], "duplicate": []}
    for _ in range(rounds):
        with transaction.atomic():
            for number in range(WRITES):
                with _timed(taken["create"]):
                    books.create(title=f"book {number}")
            with _timed(taken["duplicate"]):
                try:
                    with transaction.atomic():
                        books.create(title="twice", code="taken")
                except IntegrityError:
                    pass
            with _timed(taken["rollback"]):
                try:
                    with transaction.atomic():
                        books.create(title="gone")
                        raise _Wrong
                except _Wrong:
                    pass
            assert books.filter(title="book 99").exists()
            transaction.set_rollback(True)
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
    _serve(sys.argv[1], sys.argv[2])
