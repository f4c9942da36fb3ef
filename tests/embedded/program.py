"""A separate program that runs an embedded server, to be killed by the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

_START = """
import json, os, sys, time
from djongo_services.embedded import MongoServer
server = MongoServer(**json.loads(sys.argv[1])).start()
print(json.dumps({
    "uri": server.uri,
    "servers": [member.pid for member in server.members],
    "folder": str(server.members[0].log.parent.parent),
    "keeper": server._keeper.pid,
}), flush=True)
"""


@dataclass(frozen=True, kw_only=True)
class Program:
    process: subprocess.Popen[str]
    uri: str
    servers: list[int]
    folder: Path
    keeper: int

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def start_program(then: str = "time.sleep(600)", **options: Any) -> Program:
    """Run MongoServer(**options) and the code ``then`` in a new interpreter."""
    process = subprocess.Popen(
        [sys.executable, "-c", _START + then, json.dumps(options)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    said["folder"] = Path(said["folder"])
    return Program(process=process, **said)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return not Path("/proc/self").exists()
    return state != "Z"  # else it has ended, and only its parent has not asked yet


def until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
