"""Jobs that the project's own queue does, in other processes."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.admin.conftest import Page, Site
from tests.admin.files import queueing
from tests.admin.files.conftest import Files
from tests.conftest import RunDjango

WORKER = """
import json, sys
from django.core.management import call_command
from djongo_services.admin.queue import run_job
call_command("migrate", run_syncdb=True, verbosity=0)
print(json.dumps(run_job(json.loads(sys.argv[1]))))
"""
Queue = Callable[[str], None]


@pytest.fixture
def queue(root: Site, settings: Any) -> Queue:
    """``queue("put")``: the function of :mod:`tests.admin.files.queueing` that takes jobs."""

    def chosen(name: str) -> None:
        path = f"tests.admin.files.queueing.{name}"
        settings.DJONGO_SERVICES = {**settings.DJONGO_SERVICES, "ADMIN": {"JOBS": path}}

    queueing.waiting.clear()
    chosen("put")
    return chosen


@pytest.fixture
def work(django_sql: RunDjango, root: Site, tmp_path: Path) -> Callable[..., Any]:
    """The result of ``run_job`` in a separate process, in a project whose rows are in SQL."""

    def work(order: str, **changed: str) -> Any:
        order = json.dumps({**json.loads(order), **changed})
        done = django_sql(
            order,
            code=WORKER,
            settings="tests.admin.files.settings_sql",
            env={
                "ADMIN_TEST_DATABASE": root.database.name,
                "ADMIN_TEST_SQLITE": str(tmp_path / "rows"),
            },
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return work


def delete_all(files: Files) -> Page:
    asked: dict[str, Any] = {"action": "delete", "all": "1", "confirmed": "1", "name": "media"}
    return files.post(files.url("bulk"), **asked)


def delete_first(files: Files) -> Page:
    ids = [str(files.documents.find_one({"filename": "a"})["_id"])]
    return files.post(files.url("bulk"), action="delete", ids=ids, confirmed="1")


def run(files: Files) -> Any:
    return files.site.database.djongo_services_files.find_one({"_id": {"job": "media"}})["run"]


def test_a_worker_does_it(files: Files, queue: Queue, work: Callable[..., Any]) -> None:
    for name in "abc":
        files.add(name)
    page = delete_all(files)
    assert "waiting in the queue" in page.text
    assert files.names() == {*"abc"}
    assert "A job is already running on this bucket." in delete_first(files).text
    (order,) = queueing.waiting
    assert work(order) == "done"
    assert files.names() == set()
    assert "done. 3 files are in the trash now." in files.get("collector").text
    assert "arguments" not in run(files)
    assert work(order) is None  # delivered twice


def test_chosen_files_and_the_language_of_who_asked(
    files: Files, queue: Queue, work: Callable[..., Any]
) -> None:
    files.add("a")
    files.add("b")
    delete_first(files)
    (order,) = queueing.waiting
    assert json.loads(order)["language"] == "en-us"
    assert work(order, language="de") == "done"
    assert files.names() == {"b"}
    assert "1 Datei liegt jetzt im Papierkorb." in run(files)["said"]


@pytest.mark.parametrize("page", ["dry_run", "collect"])
def test_the_collector(files: Files, queue: Queue, work: Callable[..., Any], page: str) -> None:
    files.add("new.txt")
    lost = files.add_old("lost.txt")
    files.post(files.url(page), only="unreferenced", older="3d")
    assert work(queueing.waiting[0]) == "done"
    assert files.documents.count_documents({"_id": lost}) == (1 if page == "dry_run" else 0)
    found = {"dry_run": "Found: 1 item, 7 B.", "collect": "Moved to the trash: 1 item, 7 B."}
    assert found[page] in files.get("collector").text
    if page == "collect":
        files.post(files.url("empty_trash"), days="0", name="media")
        assert work(queueing.waiting[1]) == "done"
        assert files.trash.count_documents({}) == 0


def test_what_waits_is_stopped_at_once(
    files: Files, queue: Queue, work: Callable[..., Any]
) -> None:
    files.add("a")
    delete_all(files)
    files.post(files.url("job_stop"))
    assert "stopped" in files.get("collector").text
    assert work(queueing.waiting[0]) is None
    assert files.names() == {"a"}
    delete_all(files)
    assert work(queueing.waiting[1]) == "done"


def test_what_waits_for_too_long_is_lost(
    files: Files, queue: Queue, work: Callable[..., Any]
) -> None:
    def began(**ago: float) -> None:
        then = dt.datetime.now(dt.UTC) - dt.timedelta(**ago)
        files.site.database.djongo_services_files.update_one({}, {"$set": {"run.beat": then}})

    files.add("a")
    delete_all(files)
    began(minutes=50)
    assert "waiting in the queue" in files.get("collector").text
    began(minutes=70)
    assert "its process has ended" in files.get("collector").text
    delete_all(files)
    late, order = queueing.waiting
    assert work(late) is None
    assert files.names() == {"a"}
    assert work(order) == "done"


def test_a_queue_that_is_down(files: Files, queue: Queue) -> None:
    queue("refuse")
    files.add("a")
    page = delete_all(files)
    assert (
        "The queue did not accept the job (ConnectionError); the log has the details." in page.text
    )
    assert "secret" not in page.html
    assert run(files)["status"] == "failed"
    queue("put")
    assert "waiting in the queue" in delete_all(files).text


def test_django_tasks(files: Files, queue: Queue) -> None:
    """The interface that Django 6 has, in the package that Django took it from."""
    queue("enqueue")
    files.add("a")
    delete_all(files)
    assert files.names() == set()
    assert "done. 1 file is in the trash now." in files.get("collector").text


class TestProfiles:
    def start(self, root: Site) -> Page:
        root.database.notes.insert_many([{"n": n} for n in range(5)])
        root.post(root.collection("notes", "schema_start"), depth="complete")
        return root.get(root.collection("notes", "schema"))

    def test_a_worker_takes_it(self, root: Site, queue: Queue, work: Callable[..., Any]) -> None:
        assert "waiting in the queue" in self.start(root).text
        assert work(queueing.waiting[0]) == "done"
        assert "all 5 documents examined" in root.get(root.collection("notes", "schema")).text
        assert work(queueing.waiting[0]) is None

    def test_a_queue_that_is_down(self, root: Site, queue: Queue) -> None:
        queue("refuse")
        assert "The queue did not accept the job" in self.start(root).text


def test_what_is_no_order(root: Site) -> None:
    from djongo_services.admin.queue import run_job

    order: Any = {"kind": "files", "connection": "archive", "name": "media", "run": "x"}
    with pytest.raises(ValueError, match="is not an order of the admin's pages"):
        run_job(order)
    order |= {"language": "en", "run": "0" * 24, "kind": "mail"}
    with pytest.raises(ValueError, match="no jobs of the kind 'mail'"):
        run_job(order)
