"""``collectstatic`` of 2,000 files, compared with Django's own storages on disk.

It runs in a separate process, because it needs other settings. At most twice their time is a ratio
of at least 0.5.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from pymongo import MongoClient

Row = dict[str, Any]

FILES = 2_000
DATABASE = "benchmark_collectstatic"
CONTESTANTS = {
    "collectstatic of 2,000 files, the first time": (
        "djongo_services.storage.staticfiles.GridFSStaticFilesStorage",
        "django.contrib.staticfiles.storage.StaticFilesStorage",
    ),
    "collectstatic of 2,000 files with a manifest, the first time": (
        "djongo_services.storage.staticfiles.GridFSManifestStaticFilesStorage",
        "django.contrib.staticfiles.storage.ManifestStaticFilesStorage",
    ),
}


def run(uri: str, repeats: int) -> list[Row]:
    command = [sys.executable, "-m", __name__, uri, str(repeats)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    rows: list[Row] = json.loads(done.stdout)
    return rows


def measure(uri: str, repeats: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, MongoClient[Row](uri) as client:
        root = Path(folder)
        _write_sources(root / "source")
        _configure(uri, root)
        try:
            return [_row(name, *pair, client, root, repeats) for name, pair in CONTESTANTS.items()]
        finally:
            client.drop_database(DATABASE)


def _row(
    name: str, ours: str, peer: str, client: MongoClient[Row], root: Path, repeats: int
) -> Row:
    seconds: dict[str, list[float]] = {ours: [], peer: []}
    for turn in range(repeats + 1):
        for backend in seconds:
            taken = _collect(backend, client, root)
            if turn:  # The first one is for everything that Python and the server load only once.
                seconds[backend].append(taken)
    median = {backend: statistics.median(times) for backend, times in seconds.items()}
    ratio = median[peer] / median[ours]
    return {
        "name": name,
        "ours": FILES / median[ours],
        "peer_name": peer.rpartition(".")[2],
        "peer": FILES / median[peer],
        "unit": "files/s",
        "ratio": ratio,
        "target": "at least 0.5",
        "reached": ratio >= 0.5,
    }


def _collect(backend: str, client: MongoClient[Row], root: Path) -> float:
    """Collect into an empty place, and return the seconds."""
    shutil.rmtree(root / "target", ignore_errors=True)
    for kind in ("files", "chunks"):
        client[DATABASE][f"static.{kind}"].delete_many({})
    with override_settings(STORAGES={"staticfiles": {"BACKEND": backend}}):
        begin = time.perf_counter()
        call_command("collectstatic", interactive=False, verbosity=0)
        return time.perf_counter() - begin


def _write_sources(folder: Path) -> None:
    for number in range(FILES):
        path = folder / f"folder{number % 20}" / f"style{number}.css"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"p {{ color: #{number:06} }}\n" * 60)


def _configure(uri: str, root: Path) -> None:
    settings.configure(
        INSTALLED_APPS=["django.contrib.staticfiles", "djongo_services"],
        STATICFILES_DIRS=[root / "source"],
        STATIC_ROOT=root / "target",
        STATIC_URL="/static/",
        DJONGO_SERVICES={"CONNECTIONS": {"default": {"HOST": uri, "NAME": DATABASE}}},
    )
    django.setup()


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
