"""Compares the outcomes that the programs saw with what a majority of the members holds."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from djongo_services.embedded import MongoServer
from djongo_services.storage.bucket import Bucket
from tests.soak.known import ACCOUNTS, MONEY, content_of

Line = dict[str, Any]
Mongo = Database[dict[str, Any]]
PARTS = ["begin", "end"]
"""The two halves of a transfer. What comes between them is undone by its savepoint."""
ALLOWED: dict[str, list[list[str]]] = {
    "done": [PARTS],
    "refused": [[]],
    "unknown": [[], PARTS],
    "wrong": [[], PARTS],
}
"""The parts that may exist, by the reported outcome."""


def audit_bank(lines: Iterable[Line], database: Mongo) -> list[str]:
    """Each transfer that was acknowledged is there once and as a whole, and none that was not."""
    there: defaultdict[str, list[str]] = defaultdict(list)
    expected = dict.fromkeys(range(ACCOUNTS), MONEY)
    for each in database.town_transfer.find():
        there[each["name"]].append(each["part"])
        if each["part"] == "begin":
            expected[each["giver"]] -= each["amount"]
            expected[each["taker"]] += each["amount"]
    wrong = []
    for line in lines:
        if line["kind"] != "transfer":
            continue
        found = sorted(there.pop(line["name"], []))
        if found not in ALLOWED[line["outcome"]]:
            wrong.append(f"transfer {line['name']}, {line['outcome']}: {found}")
    wrong += [f"transfer {name}, not reported: {found}" for name, found in there.items()]
    balances = {each["number"]: each["balance"] for each in database.town_account.find()}
    if balances != expected:
        wrong.append(f"balances {balances} instead of {expected}")
    return wrong


class Expected:
    """The state of the files by what was acknowledged."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self.present: dict[str, tuple[str, int]] = {}
        """Names of files that must be there, with what made their content."""
        self.absent: set[str] = set()
        self.perhaps: set[str] = set()
        """Titles of papers of which nothing is known."""
        self.refused: set[str] = set()
        self.made: dict[str, tuple[str, int]] = {}
        """By name of file, its content, whether the file exists or not."""
        self.slots: dict[str, list[tuple[str, int]]] = {}
        """By name, the possible contents, from the last acknowledged one on."""
        for line in lines:
            handler = getattr(self, f"_{line['kind']}", None)
            if handler is not None:
                handler(line)

    def _save(self, line: Line) -> None:
        if line["outcome"] == "done":
            self.present[line["name"]] = (line["title"], line["size"])
        else:
            (self.refused if line["outcome"] == "refused" else self.perhaps).add(line["title"])
        self.made[line["title"]] = (line["title"], line["size"])

    def _delete(self, line: Line) -> None:
        if line["outcome"] == "refused":
            return
        self.present.pop(line["name"])
        if line["outcome"] == "done":
            self.absent.add(line["name"])

    def _abandon(self, line: Line) -> None:
        self.present.pop(line["name"])

    def _replace(self, line: Line) -> None:
        made = (line["title"], line["size"])
        if line["outcome"] == "done":
            self.slots[line["slot"]] = [made]
        else:
            self.slots.setdefault(line["slot"], []).append(made)


def digest_of(name: str, size: int) -> str:
    return hashlib.sha256(content_of(name, size)).hexdigest()


def audit_files(lines: Iterable[Line], database: Mongo) -> list[str]:
    """Every file that was acknowledged reads back whole, and none that was deleted is there."""
    expected = Expected(lines)
    return _audit_papers(expected, database) + _audit_slots(expected, database)


def _audit_papers(expected: Expected, database: Mongo) -> list[str]:
    bucket = Bucket(database, "media")
    wrong = []
    seen: Counter[str] = Counter()
    for stored in bucket.find():
        name = str(stored.filename)
        title = name.removeprefix("papers/").removesuffix(".bin")
        seen[name] += 1
        digest = hashlib.sha256()
        for piece in bucket.read(stored):
            digest.update(piece)
        if title in expected.refused or name in expected.absent:
            wrong.append(f"file {name} was refused or deleted, and is there")
        elif title not in expected.made:
            wrong.append(f"file {name}, not reported")
        elif digest.hexdigest() != digest_of(*expected.made[title]):
            wrong.append(f"file {name} has other content")
    wrong += [f"file {name} is there {seen[name]} times" for name in seen if seen[name] > 1]
    wrong += [f"file {name} is lost" for name in expected.present if name not in seen]
    rows = Counter(each["file"] for each in database.town_paper.find())
    wrong += [f"the row of {name} is there {rows[name]} times" for name in rows if rows[name] > 1]
    wrong += [f"the row of {name} is lost" for name in expected.present if name not in rows]
    wrong += [f"the row of {name} has no file" for name in rows if name not in seen]
    return wrong


def _audit_slots(expected: Expected, database: Mongo) -> list[str]:
    bucket = Bucket(database, "slots")
    found = Counter[str]()
    wrong = []
    for stored in bucket.find():
        name = str(stored.filename)
        found[name] += 1
        allowed = [digest_of(*made) for made in expected.slots.get(name, [])]
        if hashlib.sha256(bucket.read_bytes(stored)).hexdigest() not in allowed:
            wrong.append(f"slot {name} has none of the contents that it may have")
    return wrong + [
        f"slot {name} is there {found[name]} times" for name in found if found[name] > 1
    ]


def left_on_members(server: MongoServer, since: datetime) -> list[str]:
    """Open transactions, and cursors since then, once the programs are idle.

    Those before may be of programs whose connection was lost: the server closes them later.
    """
    wrong = []
    for member in server.members:
        with MongoClient[Any](member.address, directConnection=True) as client:
            status = client.admin.command("serverStatus")
            left = status["transactions"]["currentOpen"]
            if left:
                wrong.append(f"{left} open transactions on {member.address}")
            idle = {"$currentOp": {"allUsers": True, "idleCursors": True}}
            for each in client.admin.aggregate([idle]):
                cursor = each.get("cursor", {})
                ours = each["type"] == "idleCursor" and not each["ns"].startswith("local.")
                if ours and cursor["createdDate"].replace(tzinfo=UTC) > since:
                    wrong.append(f"an open cursor on {each['ns']}: {cursor['originatingCommand']}")
    return wrong
