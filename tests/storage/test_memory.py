"""Memory use does not depend on the size of a file: measured in a separate process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from pymongo.database import Database

from djongo_services.storage.bucket import Bucket
from tests.transaction.conftest import uri_of

SIZE = 100_000_000
GIGABYTE = 1_000_000_000
ALLOWED = 40
"""MB; far from the size, and far from what buffers and a loaded machine need."""

PROGRAM = """
import asyncio, gc, json, pathlib, sys
import django
from django.conf import settings

uri, name, size, options, works = sys.argv[1], sys.argv[2], *map(json.loads, sys.argv[3:])
keys = {"k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
settings.configure(
    DJONGO_SERVICES={
        "CONNECTIONS": {"default": {"HOST": uri, "NAME": name}},
        "STORAGE": {"ENCRYPTION_KEYS": keys},
    }
)
django.setup()
from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage

def peak():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

def grown(work):
    gc.collect()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = peak()
    work()
    return (peak() - before) / 1024

storage = GridFSStorage(**options)
storage.save("first", [b"what is loaded once"])
with storage.open("first") as file:
    file.read()

def save():
    storage.save("large", (bytes(1_000_000) for _ in range(size // 1_000_000)))

def read():
    with storage.open("large") as file:
        for piece in file.chunks():
            pass

def change():
    with storage.open("large", "ab") as file:
        file.write(b"end")

async def aread():
    async with await storage.aopen("large") as file:
        async for piece in file:
            pass
    await connections["default"].aclose()

def read_async():
    asyncio.run(aread())

print(json.dumps({work: grown(globals()[work]) for work in works}))
"""


def growth(
    database: Database[Any], size: int, options: dict[str, Any], *works: str
) -> dict[str, float]:
    """MB, by what was done."""
    arguments = [json.dumps(each) for each in (size, options, works)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, uri_of(database), database.name, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    grown: dict[str, float] = json.loads(done.stdout)
    assert set(grown) == set(works)
    return grown


@pytest.mark.parametrize(
    "options", [{}, {"compression": "gzip", "encryption": True}], ids=["plain", "encoded"]
)
def test_growth(database: Database[Any], options: dict[str, Any]) -> None:
    grown = growth(database, SIZE, options, "save", "read", "read_async", "change")
    assert {work: size for work, size in grown.items() if size > ALLOWED} == {}


def test_a_stream_of_five_gigabytes(database: Database[Any]) -> None:
    """Its length does not fit into 32 bits."""
    size = 5 * GIGABYTE
    assert growth(database, size, {}, "save")["save"] <= ALLOWED
    bucket = Bucket(database)
    stored = bucket.get_by_name("large")
    assert stored.length == size
    assert b"".join(bucket.read(stored, size - 10)) == bytes(10)
