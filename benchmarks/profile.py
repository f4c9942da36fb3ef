"""Profiles compared with other tools that learn schemas, and with merely reading the documents.

The peers install themselves: mongodb-schema (Compass) from npm into ``benchmarks/node_modules``,
pymongo-schema from PyPI into ``benchmarks/node_modules/.pymongo-schema``, a venv. All read the same
200,000 documents over the same server; rates are documents per second, medians, interleaved.
"""

from __future__ import annotations

import datetime
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database

from djongo_services.introspection import profile
from djongo_services.introspection.report import Depth

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
DATABASE = "benchmark_profile"
DOCUMENTS = 200_000
KEYS = 100_000
SAMPLE = 1_000
MEMORY_TARGET = 48.0

Row = dict[str, Any]

_NODE = """
const { MongoClient } = require("mongodb");
const { parseSchema } = require("mongodb-schema");
(async () => {
  const client = await MongoClient.connect(process.argv[1]);
  const began = process.hrtime.bigint();
  const cursor = client.db(process.argv[2]).collection(process.argv[3]).find();
  const schema = await parseSchema(cursor, { storeValues: false });
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ seconds, count: schema.count }));
  await client.close();
})();
"""

_PYMONGO_SCHEMA = """
import json, sys, time
from pymongo import MongoClient
from pymongo_schema.extract import extract_collection_schema
collection = MongoClient(sys.argv[1])[sys.argv[2]][sys.argv[3]]
began = time.perf_counter()
count = extract_collection_schema(collection)["count"]
print(json.dumps({"seconds": time.perf_counter() - began, "count": count}))
"""

_MEMORY = """
import json, sys
from pymongo import MongoClient
from djongo_services.introspection import profile
client = MongoClient(sys.argv[1])
client.admin.command("ping")
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
before = peak()
profile(client[sys.argv[2]][sys.argv[3]], sys.argv[4])
print(json.dumps({"kilobytes": peak() - before}))
"""


def run(uri: str, repeats: int = 5) -> list[Row]:
    """Rows for the driver: ``ours`` and ``peer`` in the row's ``unit``, their ratio, the target."""
    python = _install_peers()
    with MongoClient[dict[str, Any]](uri) as client:
        database = client[DATABASE]
        client.drop_database(DATABASE)
        try:
            _fill(database)
            contestants = _contestants(uri, database, python)
            seconds = _interleaved(contestants, repeats)
            memory = [_memory_row(uri, depth, repeats) for depth in ("complete", "exact")]
        finally:
            client.drop_database(DATABASE)
    return [*_rate_rows(seconds), *_time_rows(seconds), *memory]


def document(number: int, chance: random.Random) -> dict[str, Any]:
    """A document of about 850 bytes and 54 elements, of the shapes that applications store."""
    day = datetime.datetime(2020, 1, 1) + datetime.timedelta(minutes=number)
    made: dict[str, Any] = {
        "_id": ObjectId(),
        "number": number,
        "title": f"field note {number:06d} on the northern shore",
        "slug": f"note-{number:06d}",
        "body": "x" * chance.randrange(40, 120),
        "language": chance.choice(["en", "de", "fr"]),
        "created": day,
        "updated": day + datetime.timedelta(days=1),
        "score": chance.random() * 100,
        "public": bool(number % 3),
        "author": {
            "name": f"Person {number % 500}",
            "email": f"p{number % 500}@example.org",
            "age": 20 + number % 60,
            "address": {
                "street": f"Street {number % 90}",
                "city": "C",
                "zip": "1",
                "country": "DE",
            },
        },
        "place": {"type": "Point", "coordinates": [chance.random() * 180, chance.random() * 90]},
        "tags": [f"tag{chance.randrange(100)}" for _ in range(chance.randrange(1, 6))],
        "measures": [
            {"name": f"m{index}", "value": chance.random(), "unit": "mm"}
            for index in range(chance.randrange(1, 4))
        ],
        "stats": {"views": number % 1000, "likes": number % 77, "shares": 1, "ratio": 0.5},
        "flags": {"a": True, "b": False, "c": True},
        "price": chance.randrange(100),
        "currency": "EUR",
        "version": 3,
        "reference": ObjectId(),
        "checksum": f"{chance.getrandbits(128):032x}",
    }
    if number % 5 == 0:
        made["note"] = "an optional text"
    if number % 10 == 0:
        made["rating"] = None
    elif number % 2:
        made["rating"] = chance.randrange(5)
    return made


def _fill(database: Database[dict[str, Any]]) -> None:
    chance = random.Random(1)
    for batch in _batches(DOCUMENTS):
        database.documents.insert_many([document(number, chance) for number in batch])
    for batch in _batches(KEYS):
        made = [document(number, chance) for number in batch]
        database.fixed.insert_many([{**each, "by": {"key": 1}} for each in made])
        database.dynamic.insert_many(
            [{**each, "by": {f"k{number}": 1}} for number, each in zip(batch, made, strict=True)]
        )


def _batches(total: int) -> Iterator[range]:
    for start in range(0, total, 5_000):
        yield range(start, min(start + 5_000, total))


def _contestants(
    uri: str, database: Database[dict[str, Any]], python: Path
) -> dict[str, Callable[[], float]]:
    """The functions by name; each does the work once and returns the seconds that it took."""
    documents = database.documents
    target = (uri, DATABASE, "documents")
    return {
        "complete": lambda: _ours(documents, "complete"),
        "exact": lambda: _ours(documents, "exact"),
        "find": lambda: _timed(lambda: sum(1 for _ in documents.find())),
        "mongodb-schema": lambda: _peer(["node", "-e", _NODE, *target], HERE),
        "pymongo-schema": lambda: _peer([str(python), "-c", _PYMONGO_SCHEMA, *target]),
        "sample": lambda: _ours(documents, "sample"),
        "$sample": lambda: _timed(
            lambda: list(documents.aggregate([{"$sample": {"size": SAMPLE}}]))
        ),
        "dynamic": lambda: _ours(database.dynamic, "complete"),
        "fixed": lambda: _ours(database.fixed, "complete"),
    }


def _ours(collection: Collection[dict[str, Any]], depth: Depth) -> float:
    began = time.perf_counter()
    result = profile(collection, depth, sample=SAMPLE)
    seconds = time.perf_counter() - began
    if result.coverage.reached != depth:
        raise RuntimeError(f"the profile ended early: {result.coverage.stopped}")
    return seconds


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peer(command: list[str], folder: Path = HERE.parent) -> float:
    answer = _answer(command, folder)
    if answer["count"] != DOCUMENTS:
        raise RuntimeError(f"{command[0]} saw {answer['count']} documents")
    return float(answer["seconds"])


def _answer(command: list[str], folder: Path = HERE.parent) -> dict[str, Any]:
    """The JSON that a process prints, run in the folder where it finds its imports."""
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _interleaved(contestants: dict[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for contestant in (contestants["complete"], contestants["$sample"], contestants["dynamic"]):
        contestant()  # the cache is warm for all
    for _ in range(repeats):
        for name, contestant in contestants.items():
            taken[name].append(contestant())
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _rate_rows(seconds: dict[str, float]) -> list[Row]:
    targets = {
        ("complete", "mongodb-schema"): 12.0,
        ("complete", "find"): 5.0,
        ("complete", "pymongo-schema"): None,
        ("exact", "mongodb-schema"): 6.0,
        ("exact", "find"): 2.5,
        ("exact", "pymongo-schema"): None,
    }
    names = {"find": "PyMongo find()"}
    rows = []
    for (ours, peer), target in targets.items():
        ratio = seconds[peer] / seconds[ours]
        rows.append(
            {
                "name": f"profile {ours}, {DOCUMENTS:,} documents",
                "ours": DOCUMENTS / seconds[ours],
                "peer_name": names.get(peer, peer),
                "peer": DOCUMENTS / seconds[peer],
                "unit": "documents/s",
                "ratio": ratio,
                "target": None if target is None else f"at least {target:g}",
                "reached": None if target is None else ratio >= target,
            }
        )
    return rows


def _time_rows(seconds: dict[str, float]) -> list[Row]:
    wanted = [
        (f"profile sample of {SAMPLE:,}", "sample", "$sample", f"bare $sample of {SAMPLE:,}", 3.0),
        (f"profile with {KEYS:,} dynamic keys", "dynamic", "fixed", "the same without them", 1.5),
    ]
    return [
        {
            "name": name,
            "ours": seconds[ours] * 1000,
            "peer_name": peer_name,
            "peer": seconds[peer] * 1000,
            "unit": "ms",
            "ratio": seconds[ours] / seconds[peer],
            "target": f"at most {target:g}",
            "reached": seconds[ours] / seconds[peer] <= target,
        }
        for name, ours, peer, peer_name, target in wanted
    ]


def _memory_row(uri: str, depth: str, repeats: int) -> Row:
    command = [sys.executable, "-c", _MEMORY, uri, DATABASE, "documents", depth]
    grown = statistics.median(_answer(command)["kilobytes"] / 1024 for _ in range(repeats))
    return {
        "name": f"profile {depth}, growth of the client's memory",
        "ours": grown,
        "peer_name": "allowed",
        "peer": MEMORY_TARGET,
        "unit": "MB",
        "ratio": grown / MEMORY_TARGET,
        "target": "at most 1",
        "reached": grown <= MEMORY_TARGET,
    }


def _install_peers() -> Path:
    """Install what is missing, and return the interpreter that has pymongo-schema."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise RuntimeError("mongodb-schema needs Node.js: install node and npm")
    if not (MODULES / "mongodb-schema").exists():
        packages = ["mongodb-schema@12.7.0", "mongodb@7.9.0"]
        options = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix"]
        _quietly([npm, "install", *options, str(HERE), *packages])
    environment = MODULES / ".pymongo-schema"
    python = environment / "bin" / "python"
    if not python.exists():
        _quietly([sys.executable, "-m", "venv", str(environment)])
        _quietly([str(python), "-m", "pip", "install", "-q", "pymongo-schema==0.4.2", "setuptools"])
    return python


def _quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
