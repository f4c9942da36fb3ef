"""``syncmongoschema`` as a process of its own: questions and signals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from tests.schema.fail_points import held

Mongo = Database[dict[str, Any]]
Start = Callable[..., "subprocess.Popen[str]"]

SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.commands.settings_library"}
SECONDS = 30


@pytest.fixture
def unmanaged(database: Mongo, start: Start) -> Mongo:
    with start("syncmongoschema", database=database.name, env=SETTINGS) as process:
        process.communicate(timeout=SECONDS)
    database.books.create_index("pages", name="nobodys")
    return database


@pytest.fixture
def asking(unmanaged: Mongo, start: Start) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A run that waits for an answer, and where to write it."""
    terminal, its_end = pty.openpty()
    options = ("--prune", "drop", "--allow-destructive", "--no-color", "-v", "0")
    with start(
        "syncmongoschema", *options, database=unmanaged.name, env=SETTINGS, stdin=its_end
    ) as process:
        os.close(its_end)
        try:
            assert process.stderr is not None
            said = ""
            while not said.endswith("[y/N] "):
                said += process.stderr.read(1) or pytest.fail(f"it ended and said: {said}")
            assert said.startswith("1 step destroys something, the first is «books: drop index n")
            yield process, terminal
        finally:
            process.kill()  # If it still waits.
            os.close(terminal)


@pytest.mark.parametrize(
    ("answer", "code", "kept"),
    [("yes\n", 0, False), ("n\n", 2, True), ("\n", 2, True), ("\x04", 2, True)],
    ids=["yes", "no", "nothing", "ctrl-d"],
)
def test_destructive_steps_are_asked_for(asking, unmanaged, answer, code, kept):
    process, terminal = asking
    os.write(terminal, answer.encode())
    _, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == code, stderr
    assert "Traceback" not in stderr
    assert ("nobodys" in unmanaged.books.index_information()) == kept


def test_ctrl_c_answers_too(asking, unmanaged):
    process, _ = asking
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=SECONDS)
    assert (process.returncode, stderr) == (130, "Interrupted.\n")
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
            "CommandError: Interrupted: what was done stays done; run the command again to "
            "go on.\n",
        )
        assert set(client.shop.books.index_information()) == {"_id_"}
        with start("syncmongoschema", "-v", "0", **options) as process:
            process.communicate(timeout=SECONDS)
        assert process.returncode == 0
        assert "title_pages" in client.shop.books.index_information()
