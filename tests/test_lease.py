"""The sentence about who holds a lease, whatever was written into it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.lease import COLLECTION, Lease, Locked

HOSTILE = "\x1b[2Jhost\u202e\n:4711\x07:x"


def said(database: Database[Any], **held: Any) -> str:
    expires = datetime.now(UTC) + timedelta(hours=1)
    database[COLLECTION].replace_one(
        {"_id": "work"}, {"_id": "work", "expires": expires, **held}, upsert=True
    )
    with (
        pytest.raises(Locked) as caught,
        Lease(database, "work", doing="working"),
    ):
        pass
    return str(caught.value)


def test_what_steers_a_terminal_is_spelled_out(database: Database[Any]) -> None:
    text = said(database, holder=HOSTILE, since=datetime.now(UTC))
    assert text.isprintable()
    assert "process 4711\\x07 on \\x1b[2Jhost\\u202e\\n, since" in text


@pytest.mark.parametrize("holder", [None, 5, {"a": 1}, "", "host"])
@pytest.mark.parametrize("since", [None, "yesterday", 5])
def test_what_is_no_holder(database: Database[Any], holder: Any, since: Any) -> None:
    assert said(database, holder=holder, since=since) == ("Another run is working; try again.")
    assert said(database, holder=holder, since=datetime.now(UTC)).startswith(
        "Another run is working: process "
    )
