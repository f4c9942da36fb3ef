"""Processes that are forked, threads and greenlets: Celery, gunicorn and Channels."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from djongo_services.embedded import MongoServer
from tests.processes import ROOT
from tests.transaction.packages.conftest import SetUp

MANY = 20


@contextmanager
def running(arguments: list[str], env: dict[str, str], log: Path) -> Iterator[None]:
    """A process that is asked to end afterwards, and has to."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=env, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def found_in(log: Path, pattern: str, seconds: float = 120) -> str:
    deadline = time.monotonic() + seconds
    while (found := re.search(pattern, log.read_text())) is None:
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)
    return found.group(1)


def left_behind(server: MongoServer, env: dict[str, str]) -> dict[str, Any]:
    with server.client() as client:
        database = client[env["PACKAGES_DATABASE"]]
        status = client.admin.command("serverStatus")
        return {
            "rows": database.backend_app_author.count_documents({}),
            "raw": database.raw.count_documents({}),
            "told": Counter(each["outcome"] for each in database.told.find()),
            "n": database.counters.find_one({"_id": "n"})["n"],
            "open": status["transactions"]["currentOpen"],
        }


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_celery(
    run: Callable[..., str],
    packages_environment: dict[str, str],
    mongodb_server: MongoServer,
    tmp_path: Path,
    pool: str,
) -> None:
    for folder in ("queue", "control", "results"):
        (tmp_path / folder).mkdir()
    env = {**packages_environment, "PACKAGES_CELERY": str(tmp_path)}
    worker = ["-m", "celery", "-A", "tests.transaction.packages.celery_app", "worker"]
    ask = f"""
from tests.transaction.packages.celery_app import count, write
results = [write.delay(fail=number % 2 == 1) for number in range({MANY})]
counted = [count.delay() for _ in range({MANY})]
from celery.exceptions import CeleryError
answers = []
for result in results:
    try:
        answers.append(result.get(timeout=100))
    except ZeroDivisionError:
        answers.append("failed")
assert answers == ["written", "failed"] * {MANY // 2}, answers
assert [each.get(timeout=100) for each in counted] == ["counted"] * {MANY}
"""
    log = tmp_path / "worker.log"
    with running([*worker, "-P", pool, "-c", "3", "-l", "info"], env, log):
        found_in(log, r"(celery@\S+ ready)")
        run(ask, env={"PACKAGES_CELERY": str(tmp_path)})
    half = MANY // 2
    assert left_behind(mongodb_server, env) == {
        "rows": half,
        "raw": half,
        "told": {"committed": half, "rolled back": half},
        "n": MANY,
        "open": 0,
    }


@pytest.mark.parametrize(
    "options",
    [
        ["--preload", "-k", "sync"],
        ["--preload", "-k", "gthread", "--threads", "4"],
        ["-k", "gevent"],
        ["--preload", "-k", "gevent", "-c", "python:tests.transaction.packages.gevent_first"],
    ],
    ids=" ".join,
)
def test_gunicorn(
    packages_environment: dict[str, str],
    mongodb_server: MongoServer,
    tmp_path: Path,
    options: list[str],
) -> None:
    env = dict(packages_environment)
    if "--preload" in options:
        env["PACKAGES_PRELOAD"] = "1"
    log = tmp_path / "gunicorn.log"
    server = ["-m", "gunicorn", "-w", "2", "-b", "127.0.0.1:0", "--no-control-socket"]
    application = "tests.transaction.packages.wsgi:application"
    with mongodb_server.client() as client:
        client[env["PACKAGES_DATABASE"]].counters.insert_one({"_id": "n", "n": 0})
    with running([*server, *options, application], env, log):
        address = found_in(log, r"Listening at: (http://\S+)")

        def post(path: str) -> int:
            request = urllib.request.Request(f"{address}{path}", data=b"", method="POST")
            request.add_header("Host", "testserver")
            try:
                with urllib.request.urlopen(request, timeout=100) as response:
                    return response.status
            except urllib.error.HTTPError as error:
                return error.code

        post("/tell/200/")
        paths = ["/tell/200/", "/tell/500/", "/count/"] * MANY
        with ThreadPoolExecutor(8) as executor:
            statuses = list(executor.map(post, paths))
    assert statuses == [200, 500, 200] * MANY, log.read_text()[-3000:]
    assert left_behind(mongodb_server, env) == {
        "rows": MANY + 1,
        "raw": MANY + 1,
        "told": {"committed": MANY + 1, "rolled back": MANY},
        "n": MANY,
        "open": 0,
    }


def test_channels(run: Callable[..., str]) -> None:
    code = f"""{SetUp}
import asyncio
from tests.transaction.packages.channels_app import prove
print(asyncio.run(prove()))
"""
    assert run(code, INSTALLED_APPS=["channels"]) == "proven\n"
