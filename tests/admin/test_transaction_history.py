"""Transactions over time: what all processes report, minute by minute."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo import monitoring
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from tests.admin.conftest import Site
from tests.conftest import RunDjango
from tests.transaction.conftest import entry, failing

PAGE = "transaction_changelist"
pytestmark = pytest.mark.usefixtures("project")


def module() -> Any:
    """The module, which can be imported where the admin is installed."""
    from djongo_services.admin import transaction_minutes

    return transaction_minutes


WORK = """
import os, sys, threading
from pymongo.errors import DuplicateKeyError
from djongo_services.connections import connections
from djongo_services.transaction import atomic

def insert(**values):
    connections["archive"].database.notes.insert_one(values)

def work(number):
    with atomic("archive"):
        insert(by=os.getpid())
    if number % 5 == 0:
        try:
            with atomic("archive"):
                insert(_id="taken")
        except DuplicateKeyError:
            pass

"""
THREADS = """
threads = [threading.Thread(target=lambda: [work(n) for n in range(10)]) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def run(django_sql: RunDjango, database: Database[Any], code: str) -> Any:
    done = django_sql(
        code=WORK + code,
        settings="tests.admin.settings_sql",
        env={"ADMIN_TEST_DATABASE": database.name},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr


def read(database: Database[Any], using: str = "archive") -> Any:
    return module().Minutes(database, using).read()


def test_all_processes_count(django_sql: RunDjango, database: Database[Any]) -> None:
    database.notes.insert_one({"_id": "taken"})
    with ThreadPoolExecutor(2) as pool:
        for ended in [pool.submit(run, django_sql, database, THREADS) for _process in range(2)]:
            ended.result()
    found = read(database)
    whole = found.whole.total
    assert (whole.committed, whole.rolled_back) == (60, 12)
    assert found.whole.reasons == {"DuplicateKeyError": 12}
    assert sum(one.committed for _minute, one in found.minutes) == 60
    assert 0 < whole.average <= whole.slowest
    assert len(database.notes.distinct("by")) == 2
    assert database[module().COLLECTION].count_documents({}) <= 3
    assert [one["name"] for one in database[module().COLLECTION].list_indexes()] == ["_id_"]


def test_a_process_reports_while_it_works(django_sql: RunDjango, database: Database[Any]) -> None:
    """Its writes are not part of an open transaction, and do not end it."""
    code = """
from djongo_services.admin import transaction_history
from djongo_services.admin.transaction_minutes import Minutes
import threading
transaction_history.EVERY_SECONDS = 0.05
inside, written, add = threading.Event(), threading.Event(), Minutes.add
def add_inside(*arguments):
    inside.wait(60)
    add(*arguments)
    written.set()
Minutes.add = add_inside
work(1)
try:
    with atomic("archive"):
        insert(by="nobody")
        inside.set()
        assert written.wait(60)
        raise KeyError
except KeyError:
    print(connections["archive"].database.notes.count_documents({}))
"""
    assert run(django_sql, database, code) == 1
    assert read(database).whole.reasons == {"KeyError": 1}
    assert read(database).whole.total.committed == 1


def test_a_forked_child_reports_its_own(django_sql: RunDjango, database: Database[Any]) -> None:
    code = """
import warnings; warnings.simplefilter("ignore")
work(1); work(2)
pid = os.fork()
if pid == 0:
    work(3)
    import atexit; atexit._run_exitfuncs()  # as a child does that ends by itself
    os._exit(0)
os.waitpid(pid, 0)
"""
    run(django_sql, database, code)
    assert read(database).whole.total.committed == 3


def test_nothing_is_written_unless_wanted(django_sql: RunDjango, database: Database[Any]) -> None:
    off = """
from django.test import override_settings
from django.conf import settings
with override_settings(DJONGO_SERVICES={**settings.DJONGO_SERVICES,
                                        "ADMIN": {"TRANSACTION_HISTORY": False}}):
    work(1)
"""
    testing = """
from django.test.utils import setup_test_environment
setup_test_environment()
work(1)
connections["archive"].client.drop_database(connections["archive"].database_name)
"""
    closed = """
from djongo_services.admin.transaction_history import history
work(1)
history.close()
work(2)
"""
    for code in (off, testing, closed, ""):
        run(django_sql, database, code)
    assert module().COLLECTION not in database.list_collection_names()


def test_without_the_admin_nothing_is_counted(django_sql: RunDjango) -> None:
    code = """
from djongo_services.transaction import transaction_finished
print(len(transaction_finished.receivers))
"""
    assert django_sql(code=code).stdout.strip() == "0"


class TestReporting:
    @pytest.fixture
    def history(self, root: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        from djongo_services.admin import transaction_history

        monkeypatch.setattr(transaction_history, "is_kept", lambda: True)
        monkeypatch.setattr(transaction_history, "EVERY_SECONDS", 3_600.0)
        fresh = transaction_history.TransactionHistory()
        yield fresh
        if reporter := fresh._reporter:
            reporter.stop.set()
            assert reporter.ended.wait(60)

    def test_what_cannot_be_written_is_written_later(
        self,
        root: Site,
        history: Any,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        refused = {"errorCode": 13, "namespace": f"{root.database.name}.{module().COLLECTION}"}
        with failing(root.database.client, "update", times=2, **refused):
            for _attempt in range(2):
                history.finished("archive", "lend", "committed", 0.1, "")
                history._pauses = dict.fromkeys(history._pauses, (0.0, 10.0))
                history.report()
            assert module().COLLECTION not in root.database.list_collection_names()
            warned = [one for one in caplog.records if one.levelname == "WARNING"]
            assert len(warned) == 1
            assert "TRANSACTION_HISTORY" in warned[0].message
        history.report()  # It still pauses.
        assert module().COLLECTION not in root.database.list_collection_names()
        history._pauses.clear()
        history.report()
        history.report()
        assert read(root.database).whole.total.committed == 2

    def test_an_outage_is_remembered_for_an_hour_at_most(
        self, root: Site, history: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for ago in range(3 * module().MINUTES):
            history._pending["archive", ago] = module().MinuteTally()
        history._begin(0.0)
        with monkeypatch.context() as patch:

            def gone(*arguments: Any) -> Any:
                raise OperationFailure("no")

            patch.setattr(module().Minutes, "now", gone)
            history.report()
        assert sorted(history._pending) == [
            ("archive", ago) for ago in range(2 * module().MINUTES, 3 * module().MINUTES)
        ]

    def test_an_alias_that_is_gone_is_forgotten(self, root: Site, history: Any) -> None:
        history.finished("nowhere", "lend", "committed", 0.1, "")
        history.report()
        assert not history._pending

    def test_minutes_are_the_servers(
        self, root: Site, history: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import time

        wrong = time.time() + 7 * 86_400
        monkeypatch.setattr("djongo_services.admin.transaction_history.time.time", lambda: wrong)
        history.finished("archive", "lend", "committed", 0.1, "")
        history.report()
        assert read(root.database).whole.total.committed == 1

    def test_what_is_old_goes(self, root: Site, history: Any) -> None:
        now = module().start_of_minute(datetime.now(UTC))
        kept = module().Minutes(root.database, "archive")
        for ago in (119, 121, 10_000):
            kept.add(now - timedelta(minutes=ago), tally())
        history.finished("archive", "lend", "committed", 0.1, "")
        history.report()
        assert root.database[module().COLLECTION].count_documents({}) == 2
        assert read(root.database).whole.total.committed == 1

    def test_a_report_is_two_commands(
        self, root: Site, history: Any, connect: Callable[..., None]
    ) -> None:
        listener = Listener()
        options = {**entry(root.database)}
        options["OPTIONS"] = {**options.get("OPTIONS", {}), "event_listeners": [listener]}
        connect(archive=options)
        for _report in range(2):
            for number in range(500):
                history.finished("archive", f"view{number}", "committed", 0.1, "")
            listener.commands.clear()
            history.report()
        # Once a minute, what is old is removed.
        assert listener.commands in (["hello", "update"], ["hello", "update", "delete"])


class Listener(monitoring.CommandListener):
    def __init__(self) -> None:
        self.commands: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command_name)

    def succeeded(self, event: Any) -> None: ...
    def failed(self, event: Any) -> None: ...


def tally(**views: int) -> Any:
    made = module().MinuteTally()
    for view, number in (views or {"lend": 1}).items():
        for _transaction in range(number):
            made.add_finished(view, "committed", 0.2, "")
    return made


HOSTILE = [
    "",
    "%",
    "%25",
    "a.b.c",
    "$where",
    "$",
    "nul\0",
    "0",
    "shop:basket",
    "<script>alert(1)</script>",
    "\u202egnp",
    "😀",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_come_back(database: Database[Any], name: str) -> None:
    assert module().unescaped(module().escaped(name)) == name
    made = module().MinuteTally()
    made.add_finished(name, "rolled_back", 0.1, name)
    made.add_retried(name)
    kept = module().Minutes(database, name)
    kept.add(module().start_of_minute(kept.now()), made)
    kept.add(module().start_of_minute(kept.now()), made)
    found = read(database, name)
    assert list(found.whole.views) == [name]
    assert found.whole.views[name].rolled_back == found.whole.views[name].retried == 2
    assert found.whole.reasons == {name: 2}
    assert found.slowest[0].view == found.slowest[0].reason == name


def test_names_that_bson_refuses_or_that_are_long(database: Database[Any]) -> None:
    made = module().MinuteTally()
    for name in ("half \ud800 pair", "x" * 5_000, "x" * 5_001):
        made.add_finished(name, "unknown", 0.1, name)
    kept = module().Minutes(database, "archive")
    kept.add(module().start_of_minute(kept.now()), made)
    found = read(database).whole
    assert found.total.unknown == 3
    assert max(len(name) for name in [*found.views, *found.reasons]) == module().LONGEST_NAME


def test_a_minute_is_bounded(database: Database[Any]) -> None:
    made = module().MinuteTally()
    for number in range(5_000):
        made.add_finished(f"view{number}", "rolled_back", number / 1_000, f"Error{number}")
    kept = module().Minutes(database, "archive")
    for _process in range(3):
        kept.add(module().start_of_minute(kept.now()), made)
    found = read(database)
    assert found.whole.total.rolled_back == 15_000
    assert len(found.whole.views) <= module().MOST_VIEWS + 1
    assert found.whole.views[module().OTHERS].rolled_back > 14_000
    assert len(found.whole.reasons) <= module().MOST_REASONS + 1
    (document,) = database[module().COLLECTION].find()
    assert [one["seconds"] for one in document["longest"]] == [4.999] * 3 + [4.998] * 2
    assert len(document["longest"]) == module().MOST_SLOW


def test_the_driver_error_below_djangos_is_named() -> None:
    from django.db import DatabaseError

    from djongo_services.admin.transaction_counters import reason_name
    from djongo_services.transaction import WriteConflict

    wrapped = DatabaseError("")
    wrapped.__cause__ = WriteConflict("busy", 112)
    assert reason_name(wrapped) == "WriteConflict"
    assert reason_name(DuplicateKeyError("")) == "DuplicateKeyError"
    code = OperationFailure("", 24, {"codeName": "LockTimeout"})
    assert reason_name(code) == "LockTimeout"
    assert reason_name(None) == ""


class TestPage:
    def test_the_last_hour(self, root: Site) -> None:
        kept = module().Minutes(root.database, "archive")
        now = module().start_of_minute(kept.now())
        busy = tally(lend=3)
        busy.add_retried("lend")
        busy.add_finished("give:back", "rolled_back", 2.5, "WriteConflict")
        busy.add_finished("give:back", "unknown", 0.5, "CommitResultUnknown")
        kept.add(now - timedelta(minutes=4), busy)
        kept.add(now - timedelta(minutes=59), tally(old=1))
        kept.add(now - timedelta(minutes=100), tally(forgotten=1))
        page = root.get(root.url(PAGE))
        when = f"{now - timedelta(minutes=4):%H:%M}"
        assert f"at most 3, at {when}" in page.text
        assert f"<title>{when}: 3</title>" in page.html
        assert f"at most 2.5 s, at {when}" in page.text
        assert "WriteConflict 1 Another transaction was changing the same document" in page.text
        assert "Result unknown 1" in page.text
        assert "give:back 2.5 s 1.5 s 0 1 0" in page.text
        assert "lend 200.0 ms 200.0 ms 3 0 1" in page.text
        assert f"give:back 2.5 s rolled back WriteConflict {when}" in page.text
        assert "forgotten" not in page.text
        assert "All processes of the site together; each reports every 10 s." in page.text

    def test_an_hour_without_any(self, root: Site) -> None:
        assert "No transaction ended in the last hour." in root.get(root.url(PAGE)).text

    def test_the_setting_is_told(self, root: Site, project: Any) -> None:
        off = {"ADMIN": {"TRANSACTION_HISTORY": False}}
        project.DJONGO_SERVICES = {**project.DJONGO_SERVICES, **off}
        assert '["TRANSACTION_HISTORY"] is False' in root.get(root.url(PAGE)).text

    def test_another_connection_has_its_own(self, root: Site) -> None:
        kept = module().Minutes(root.database, "other")
        kept.add(module().start_of_minute(kept.now()), tally(lend=1))
        assert "No transaction ended in the last hour." in root.get(root.url(PAGE)).text

    def test_hostile_names_are_inert(self, root: Site) -> None:
        evil = '<img src=x onerror="hacked=1">\u202e'
        made = module().MinuteTally()
        made.add_finished(evil, "rolled_back", 0.1, evil)
        kept = module().Minutes(root.database, "archive")
        kept.add(module().start_of_minute(kept.now()), made)
        page = root.get(root.url(PAGE))
        assert "<img" not in page.html
        assert page.html.count("&lt;img") >= 4
        assert "\u202e" not in page.html

    def test_a_full_hour_is_quick_to_read(self, root: Site) -> None:
        """One question, whatever the number of processes and views."""
        kept = module().Minutes(root.database, "archive")
        now = module().start_of_minute(kept.now())
        for ago in range(module().MINUTES):
            kept.add(now - timedelta(minutes=ago), tally(**{f"v{n}": 1 for n in range(25)}))
        page = root.get(root.url(PAGE))
        assert "Committed 1,500" in page.text
