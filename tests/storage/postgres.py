"""A PostgreSQL server for the tests: on loopback, in a separate folder, without privileges."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

USER = "tests"
_READY_SECONDS = 60


def _find_programs() -> Path | None:
    """The folder of the newest version's programs; Debian keeps them out of the PATH."""
    found = [Path(each).resolve().parent for each in [shutil.which("postgres")] if each]
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: each.parent.name)
    return next((each for each in [*found, *reversed(debian)] if (each / "initdb").exists()), None)


def server() -> Iterator[dict[str, Any]]:
    """The entry for DATABASES. A fixture's generator, which skips its tests where PostgreSQL is not
    installed, but not in CI."""
    programs = _find_programs()
    if programs is None and os.environ.get("CI"):
        pytest.fail("PostgreSQL is not installed; make test does it.")
    if programs is None:
        pytest.skip("PostgreSQL is not installed; make test does it.")
    with _running(programs) as entry:
        yield entry


@contextmanager
def _running(programs: Path) -> Iterator[dict[str, Any]]:
    """The entry for DATABASES; its database is ``postgres``."""
    folder = Path(tempfile.mkdtemp(prefix="djongo_services_postgres_"))
    whose: dict[str, Any] = {}
    if os.getuid() == 0:  # as which PostgreSQL refuses to run
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        whose = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data = folder / "data"
    init: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        USER,
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--no-locale",
    ]
    try:
        subprocess.run([*init, "--no-sync"], check=True, cwd=folder, capture_output=True, **whose)
        port = _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "fsync": "off",
        }
        given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(
                [programs / "postgres", "-D", data, *given],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                **whose,
            ) as process,
        ):
            try:
                _wait_until_ready(programs, port, process, folder / "log")
                yield {
                    "ENGINE": "django.db.backends.postgresql",
                    "HOST": "127.0.0.1",
                    "PORT": str(port),
                    "USER": USER,
                    "NAME": "postgres",
                }
            finally:
                process.send_signal(signal.SIGINT)  # without waiting for its clients
                process.wait(30)
    finally:
        shutil.rmtree(folder)


def _wait_until_ready(
    programs: Path, port: int, process: subprocess.Popen[bytes], log: Path
) -> None:
    ask: list[str | Path] = [
        programs / "pg_isready",
        "-q",
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-t",
        "1",
    ]
    for _ in range(_READY_SECONDS * 5):
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended: {log.read_text()}")
        if subprocess.run(ask, check=False).returncode == 0:
            return
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
    raise RuntimeError(f"PostgreSQL is not ready after {_READY_SECONDS} s: {log.read_text()}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
