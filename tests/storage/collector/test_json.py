"""The documents of ``gridfs_gc`` are those of docs/gridfs_gc-json.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.storage.collector.by_hand import make_bucket, put
from tests.storage.collector.test_command import PROVIDER, gridfs_gc

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "gridfs_gc-json.md"


def documented(heading: str) -> list[str]:
    """The fields of the first table after the line ``heading``."""
    text = DOCUMENTATION.read_text().split(f"\n{heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert table is not None
    found = re.findall(r"^\| `([^`]+)`", table.group(), re.MULTILINE)
    return [name.removesuffix("[]") for name in found]


@pytest.fixture
def fs(database, mongodb_server, settings, django_db_blocker):
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": mongodb_server.uri, "NAME": database.name}},
        "STORAGE": {"REFERENCES": [PROVIDER]},
    }
    make_bucket(database)
    put(database, "a", id="a")
    with django_db_blocker.unblock():
        yield database


def document(*arguments: str) -> Any:
    return json.loads(gridfs_gc("--format", "json", *arguments).stdout)


def test_a_report(fs):
    found = document("--dry-run")
    assert list(found) == documented("## `--format json`, also with `--dry-run` and `--check`")
    (report,) = found["buckets"]
    assert list(report) == documented("A report:")
    of_a_kind = documented("One of `found`, and `kept`:")
    assert [list(each) for each in report["found"]] == [of_a_kind] * len(report["kinds"])
    assert list(report["kept"]) == of_a_kind
    examples = [example for each in report["found"] for example in each["examples"]]
    assert [list(each) for each in examples] == [documented("One of its `examples`:")]
    assert list(report["trash"]) == documented("The `trash`:")


def test_a_purge(fs):
    document("--noinput")
    found = document("--purge", "--older-than", "0s", "--dry-run")
    assert list(found) == documented("## `--purge --format json`")
    (purge,) = found["buckets"]
    assert list(purge) == documented("A purge:")
    entry = documented(
        "An entry, here and among the examples of a purge, where it has no `bucket`:"
    )
    assert [list(each) for each in purge["examples"]] == [entry[1:]]


def test_what_was_restored(fs):
    document("--noinput")
    found = document("--restore", "a")
    assert list(found) == documented("## `--restore ID... --format json`")
    entry = documented(
        "An entry, here and among the examples of a purge, where it has no `bucket`:"
    )
    assert [list(each) for each in found["restored"]] == [entry]
