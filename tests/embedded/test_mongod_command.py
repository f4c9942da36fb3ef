"""``manage.py mongod``, as a user of a shell sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from djongo_services.embedded import MongoServer
from tests.embedded.program import until
from tests.processes import python_path

SETTINGS = "INSTALLED_APPS = ['djongo_services']\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A project without any database."""
    (tmp_path / "bare_settings.py").write_text(SETTINGS)
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bare_settings",
        "PYTHONPATH": python_path(tmp_path),
        "TMPDIR": str(tmp_path),
    }


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[object]:
    started: list[subprocess.Popen[str]] = []

    def start(*args: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "mongod", *args],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_uri_is_all_of_stdout_and_a_signal_ends_it_well(start, tmp_path: Path, number):
    process = start()
    uri = process.stdout.readline().removesuffix("\n")
    with MongoClient[Any](uri, serverSelectionTimeoutMS=5000) as client:
        client.test.things.insert_one({})
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert stdout == ""
    assert stderr == (
        "MongoDB 6.0.27, 1 member, temporary data, removed at the end. Press Ctrl-C to stop it.\n"
    )
    assert process.returncode == 0
    assert not list(tmp_path.glob("djongo-services-mongod-*"))


def test_members_port_path_and_version_are_respected(start, tmp_path: Path):
    from djongo_services.embedded.addresses import free_port, is_free

    port = free_port()
    while not (is_free(port + 1) and is_free(port + 2)):
        port = free_port()
    folder = tmp_path / "data"
    process = start(
        *("--members", "3", "--port", str(port), "--path", str(folder)),
        *("--mongod-version", "5.0", "--verbosity", "0"),
    )
    hosts = ",".join(f"127.0.0.1:{port + number}" for number in range(3))
    assert process.stdout.readline() == f"mongodb://{hosts}/?replicaSet=embedded\n"
    assert (folder / "version").read_text() == "5.0.4\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_a_signal_during_the_start_ends_it_well(start, tmp_path: Path):
    process = start("--members", "3")
    assert until(lambda: bool(list(tmp_path.glob("djongo-services-mongod-*/member0/data"))))
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0
    assert not list(tmp_path.glob("djongo-services-mongod-*"))


def test_a_server_that_ends_by_itself_is_an_error(start):
    process = start("--verbosity", "0")
    uri = process.stdout.readline()
    with MongoClient[Any](uri) as client:
        pid = client.admin.command("serverStatus")["pid"]
    os.kill(pid, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=60)
    assert stdout == ""
    assert stderr == ("CommandError: A member of the server has ended by itself; start it again.\n")
    assert process.returncode == 2


def test_trouble_is_one_sentence(start, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _assert_refused(start("--port", str(port)), f"Port {port} is in use by another program")
    with MongoServer(path=tmp_path / "data"):
        _assert_refused(start("--path", str(tmp_path / "data")), "The folder ")
    _assert_refused(start("--mongod-version", "3.6"), "No mongod 3.6 was found")
    _assert_refused(start("--members", "2"), "argument --members: invalid choice")
    _assert_refused(start("--port", "70000"), "70000 is not a port")


def _assert_refused(process: subprocess.Popen[str], beginning: str) -> None:
    stdout, stderr = process.communicate(timeout=60)
    assert stdout == ""
    assert stderr.startswith(f"CommandError: {beginning}")
    assert stderr.count("\n") == 1
    assert process.returncode == 2
