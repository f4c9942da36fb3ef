"""``syncmongoschema`` in a separate process: questions and signals."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.schema.applying import History
from tests.commands.conftest import SECONDS, Question, asking
from tests.schema.fail_points import held

Mongo = Database[dict[str, Any]]
Start = Callable[..., "subprocess.Popen[str]"]

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.commands.settings_library"}


@pytest.fixture
def unmanaged(database: Mongo, start: Start) -> Mongo:
    with start("syncmongoschema", database=database.name, env=SETTINGS) as process:
        process.communicate(timeout=SECONDS)
    database.books.create_index("pages", name="nobodys")
    return database


@pytest.fixture
def question(unmanaged: Mongo, start: Start) -> Iterator[Question]:
    arguments = ("--prune", "drop", "--allow-destructive", "--no-color", "-v", "0")
    options = {"database": unmanaged.name, "env": SETTINGS}
    with asking(start, "syncmongoschema", *arguments, **options) as asked:
        first = "1 step is destructive, the first is 'books: drop index n"
        assert asked.said.startswith(first)
        yield asked


@pytest.mark.parametrize(
    ("answer", "code", "kept"),
    [("yes\n", 0, False), ("n\n", 2, True), ("\n", 2, True), ("\x04", 2, True)],
    ids=["yes", "no", "nothing", "ctrl-d"],
)
def test_destructive_steps_are_asked_for(question, unmanaged, answer, code, kept):
    ended, stderr = question.answer(answer)
    assert ended == code, stderr
    assert "Traceback" not in stderr
    assert ("nobodys" in unmanaged.books.index_information()) == kept


def test_ctrl_c_answers_too(question, unmanaged):
    assert question.interrupt() == (130, "Interrupted.\n")
    assert "nobodys" in unmanaged.books.index_information()


def test_ctrl_c_ends_a_build_and_the_next_run_goes_on(start):
    with MongoServer(test_commands=True) as server, server.client() as client:
        client.shop.books.insert_one({"_id": 1, "title": "T", "author_id": 1, "pages": 1})
        options = {"database": "shop", "uri": server.uri, "env": SETTINGS}
        with held(client, "hangAfterStartingIndexBuild") as reached:
            with start("syncmongoschema", "-v", "0", **options) as process:
                try:
                    reached()
                    process.send_signal(signal.SIGINT)
                    _, stderr = process.communicate(timeout=SECONDS)
                finally:
                    process.kill()
        assert (process.returncode, stderr) == (
            130,
            "CommandError: Interrupted: completed steps are kept; run the command again to "
            "continue.\n",
        )
        assert set(client.shop.books.index_information()) == {"_id_"}
        with start("syncmongoschema", "-v", "0", **options) as process:
            process.communicate(timeout=SECONDS)
        assert process.returncode == 0
        assert "title_pages" in client.shop.books.index_information()


def test_another_process_stops_a_build(start):
    """As a page of the admin stops it."""
    with MongoServer(test_commands=True) as server, server.client() as client:
        client.shop.books.insert_one({"_id": 1, "title": "T", "author_id": 1, "pages": 1})
        options = {"database": "shop", "uri": server.uri, "env": SETTINGS}
        history = History(client.shop)
        with held(client, "hangAfterStartingIndexBuild") as reached:
            with start("syncmongoschema", "-v", "0", **options) as process:
                try:
                    reached()
                    (run,) = history.runs()
                    assert history.ask_to_stop(run.id, by="ann")
                    _, stderr = process.communicate(timeout=SECONDS)
                finally:
                    process.kill()
        assert (process.returncode, stderr) == (
            130,
            "CommandError: Stopped by ann: completed steps are kept; run the command again to "
            "continue.\n",
        )
        assert set(client.shop.books.index_information()) == {"_id_"}
        assert history.run(run.id).status == "interrupted"
