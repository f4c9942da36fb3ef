"""A process dies at any step: rows and files fit together, and the collector ends the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connections, transaction
from pymongo.database import Database

from djongo_services.connections import connections as mongodb
from djongo_services.storage.collector import Kind, collect, references_for
from tests.processes import ROOT
from tests.storage.following.conftest import content

A_DAY = timedelta(days=1)
OLD = {"paper": "paper"}
NEW = {"paper": "", "made": "made"}


def killed_at_each_step(
    database: Database[Any], entries: dict[str, Any], *arguments: str
) -> list[dict[str, Any]]:
    connections.close_all()
    host, port = database.client.address or ("", 0)
    done = subprocess.run(
        [sys.executable, "-m", "tests.storage.following.killing", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.storage.following.project",
            "DJONGO_SERVICES_TEST_URI": f"mongodb://{host}:{port}/?directConnection=false",
            "FOLLOWING_DATABASES": json.dumps({"default": entries["second"], **entries}),
            "FOLLOWING_MONGODB": database.name,
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert not found[-1]["killed"]
    assert len(found) > 10
    return found


def test_a_transaction_that_is_committed(
    connected: Database[Any], papers: Any, entries: dict[str, Any]
) -> None:
    seen = set()
    for each in killed_at_each_step(connected, entries):
        before, after = each["before"], each["after"]
        committed = before["badge"] == "new"
        seen.add((each["step"], committed))
        # What the rows refer to is there, before the collector looks and after it.
        for state in (before, after):
            assert state["papers"] == (NEW if committed else OLD), each
            assert state["content"] == before["content"], each
        if not committed:
            assert before["content"] == "old", each
        elif before["content"] == "old":
            # It died between the commit and the settling: the new content is in the trash.
            assert each["trash"] == ["badges/badge.txt", "paper.txt"], each
        names = ["badges/badge.txt", "made.txt" if committed else "paper.txt"]
        assert each["files"] == names, each
        assert each["stray"] == 0, each
    assert {("before", False), ("after", True)} <= seen
    assert any(committed for _, committed in seen if _ != "after")


def test_a_transaction_that_is_rolled_back(
    connected: Database[Any], papers: Any, entries: dict[str, Any]
) -> None:
    for each in killed_at_each_step(connected, entries, "fail"):
        for state in (each["before"], each["after"]):
            assert state == {"badge": "old", "content": "old", "papers": OLD}, each
        assert each["files"] == ["badges/badge.txt", "paper.txt"], each
        assert each["stray"] == 0, each
    assert each["trash"] == []


@pytest.mark.parametrize("entries", ["sqlite"], indirect=True)
def test_what_waits_is_not_taken_for_garbage(
    connected: Database[Any], papers: Any, entries: dict[str, Any]
) -> None:
    """A file that waits for its row supersedes nothing, whatever the collector is asked for."""
    papers.Badge.objects.create(title="a", file=ContentFile(b"old", name="a.txt"))
    with transaction.atomic("papers"):
        papers.Badge.objects.get().file.save("a.txt", ContentFile(b"new"))
        young = connected.fs.files.find_one({"metadata.provisional": "papers"})
        assert young is not None
        transaction.set_rollback(True, "papers")
    connected.fs.files.update_one({}, {"$set": {"uploadDate": young["uploadDate"] - A_DAY}})
    connected.fs.files.insert_one({**young, "length": 0})
    references = references_for(mongodb["default"], "fs")
    for only, left in ((Kind.UNREFERENCED, 2), (Kind.SUPERSEDED, 1)):
        collect(connected, "fs", references=references, older_than=timedelta(0), only=[only])
        assert content(papers.REPLACING, "a.txt") == b"old"
        assert connected.fs.files.count_documents({}) == left
