"""300 small tests in Django's TestCase, by Django's runner, on the engine and the stock backend.

The processes alternate. The time is the one that the runner prints, without creating and dropping
the database. Ten classes with ``setUpTestData``, each of thirty tests: a create, a read, an update,
a get_or_create, a block that fails, a many-to-many relation.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from typing import Any

PEER, OURS = "django_mongodb_backend", "djongo_services.backend"
TARGET = 10.0
MOST = 3
"""The most repeats: the stock backend takes more than a minute for one."""


def run(uri: str, repeats: int = 5) -> list[dict[str, Any]]:
    seconds: dict[str, list[float]] = {PEER: [], OURS: []}
    for _ in range(min(repeats, MOST)):
        for engine, taken in seconds.items():
            taken.append(_seconds(uri, engine))
    ours, peer = (statistics.median(seconds[engine]) for engine in (OURS, PEER))
    return [
        {
            "name": "300 tests in TestCase",
            "ours": ours,
            "peer_name": "stock backend",
            "peer": peer,
            "unit": "s",
            "ratio": peer / ours,
            "target": f"at least {TARGET:g}",
            "reached": peer / ours >= TARGET,
        }
    ]


def _seconds(uri: str, engine: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "django", "test", "benchmarks.engine_shop", "--noinput"],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.engine_shop.settings",
            "BENCHMARK_URI": uri,
            "BENCHMARK_ENGINE": engine,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    match = re.search(r"Ran 300 tests in ([\d.]+)s\n\nOK", done.stderr)
    if match is None:
        raise RuntimeError(f"The tests failed on {engine}:\n{done.stderr}")
    return float(match[1])
