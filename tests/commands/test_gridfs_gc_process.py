"""``gridfs_gc`` in a separate process: the answers to its question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from tests.commands.conftest import Question, asking

LONG_AGO = ObjectId.from_datetime(datetime(2024, 1, 1, tzinfo=UTC))


@pytest.fixture
def lost(database: Database[Any]) -> Database[Any]:
    """A database with a chunk of a file that there is not."""
    database["fs.files"].create_index([("filename", 1), ("uploadDate", 1)])
    database["fs.chunks"].create_index([("files_id", 1), ("n", 1)], unique=True)
    database["fs.chunks"].insert_one({"_id": LONG_AGO, "files_id": 1, "n": 0, "data": b"lost"})
    return database


@pytest.fixture
def question(lost: Database[Any], start: Callable[..., Any]) -> Iterator[Question]:
    with asking(start, "gridfs_gc", "--no-color", "-v", "0", database=lost.name) as asked:
        assert "Would move 1 run of orphan chunks" in asked.said
        yield asked


@pytest.mark.parametrize(
    ("answer", "code", "kept"),
    [("yes\n", 0, False), ("n\n", 2, True), ("\x04", 2, True)],
    ids=["yes", "no", "ctrl-d"],
)
def test_it_asks_before_it_removes(question, lost, answer, code, kept):
    ended, stderr = question.answer(answer)
    assert ended == code, stderr
    assert "Traceback" not in stderr
    assert (lost["fs.trash"].find_one() is None) == kept


def test_ctrl_c_answers_too(question, lost):
    assert question.interrupt() == (130, "Interrupted.\n")
    assert lost["fs.trash"].find_one() is None
