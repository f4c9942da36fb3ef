"""The process between a program and its mongods: they end with the program, however it ends.

It is run by its path, with the standard library alone: ``python -I -S keeper.py``. File descriptor
0 is one end of a socket pair; the program has the other. Requests and responses are JSON objects,
one per line. The keeper ends all servers and removes the temporary folder when the socket is
closed, when its parent is another process than at the beginning (a forked child of the program may
still have the socket open), or on SIGTERM.

It is a separate process, because PR_SET_PDEATHSIG set by the program would fire when the *thread*
that started the server ends, needs code between fork and exec in a program with threads, and exists
only on Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

PARENT_CHECK_SECONDS = 1.0
STOP_SECONDS = 20.0
"""How long a server that keeps its data may take to close its files before it is killed."""
LOCK_SECONDS = 0.5
"""How long a folder must be locked by a living program to count as in use: a killed program that
its parent has not waited for still looks alive."""
_PR_SET_PDEATHSIG = 1

Request = dict[str, Any]
Answer = dict[str, Any]


class Keeper:
    """The servers of one program, by member number."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._parent = os.getppid()
        self._servers: dict[int, subprocess.Popen[bytes]] = {}
        self._temporary: str | None = None
        self._kept = False
        self._lock: int | None = None

    def run(self) -> None:
        """Serve requests until the program has ended or sends stop."""
        pending = b""
        while os.getppid() == self._parent:
            readable, _, _ = select.select([self._channel], [], [], PARENT_CHECK_SECONDS)
            if not readable:
                continue
            received = self._channel.recv(65536)
            if not received:
                return
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if request["do"] == "stop":
                    return
                self._send(self._answer(request))

    def close(self) -> None:
        """End all servers, remove the temporary folder, and report it if the program is still
        connected."""
        self._end_servers()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._send({})

    def _answer(self, request: Request) -> Answer:
        match request["do"]:
            case "open":
                return self._open(request["temporary"], request["folder"], request["owner"])
            case "spawn":
                return self._spawn(request)
            case "signal":
                self._servers[request["member"]].send_signal(request["signal"])
                return {}
            case "wait":
                return self._wait(request["member"], request["seconds"])
        return {"error": f"unknown request {request['do']!r}"}

    def _open(self, temporary: str, folder: str | None, owner: int) -> Answer:
        self._temporary, self._kept = temporary, folder is not None
        if folder is None:
            return {}
        self._lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        patience = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = int(os.pread(self._lock, 20, 0) or b"0")
                if _alive(holder) and time.monotonic() > patience:
                    return {"in_use_by": holder}
                # The previous program is dead and its keeper is closing the files.
                time.sleep(0.05)
            else:
                os.ftruncate(self._lock, 0)
                os.pwrite(self._lock, str(owner).encode(), 0)
                return {}

    def _spawn(self, request: Request) -> Answer:
        with open(request["output"], "wb") as output:
            server = subprocess.Popen(  # noqa: S603 - the program's own command line
                request["command"],
                env=request["environment"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_death_with_parent(),
            )
        self._servers[request["member"]] = server
        return {"pid": server.pid}

    def _wait(self, member: int, seconds: float) -> Answer:
        server = self._servers[member]
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(seconds or None) if seconds else server.poll()
        return {"exit": server.returncode}

    def _end_servers(self) -> None:
        for server in self._servers.values():
            if self._kept:
                server.send_signal(signal.SIGTERM)
                server.send_signal(signal.SIGCONT)
            else:
                server.kill()
        deadline = time.monotonic() + STOP_SECONDS
        for server in self._servers.values():
            try:
                server.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def _send(self, answer: Answer) -> None:
        self._channel.sendall(json.dumps(answer).encode() + b"\n")


def _death_with_parent() -> Callable[[], object] | None:
    """On Linux the servers end even if this keeper, which has one thread, is killed."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _raise_exit(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, _raise_exit)
    # The terminal's Ctrl-C and hang-up are the program's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with socket.socket(fileno=0) as channel:
        keeper = Keeper(channel)
        try:
            keeper.run()
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            keeper.close()


if __name__ == "__main__":
    main()
