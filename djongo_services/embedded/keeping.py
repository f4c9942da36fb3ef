"""The program's side of :mod:`djongo_services.embedded.keeper`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from djongo_services.exceptions import EmbeddedServerError

_KEEPER = Path(__file__).with_name("keeper.py")


class KeeperProcess:
    """Starts servers, sends them signals and waits for them; they end when this process does.

    It belongs to the process that created it: in a forked child it is closed, without any effect on
    the servers.
    """

    def __init__(self, *, temporary: Path, folder: Path | None) -> None:
        """Start the keeper; it locks ``folder`` and removes ``temporary`` at the end.

        Raises EmbeddedServerError if a living program uses ``folder``.
        """
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._errors = temporary / "keeper.err"
        ours, theirs = socket.socketpair()
        self._channel = ours
        with theirs, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and file
                [sys.executable, "-I", "-S", str(_KEEPER)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                cwd="/",
            )
        _living.add(self)
        try:
            self._open(temporary, folder)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def spawn(
        self, member: int, command: Sequence[str], environment: Mapping[str, str], output: Path
    ) -> int:
        """Start a server and return its process id."""
        answer = self._ask(
            do="spawn",
            member=member,
            command=list(command),
            environment=dict(environment),
            output=str(output),
        )
        return int(answer["pid"])

    def signal(self, member: int, number: int) -> None:
        """Send a signal; nothing happens if the server has ended."""
        self._ask(do="signal", member=member, signal=int(number))

    def wait(self, member: int, seconds: float = 0) -> int | None:
        """The server's exit status, None while it runs; waits up to ``seconds``."""
        status: int | None = self._ask(do="wait", member=member, seconds=seconds)["exit"]
        return status

    def stop(self) -> None:
        """End all servers and the keeper; returns when they have ended."""
        if os.getpid() != self.owner or self not in _living:
            return
        _living.discard(self)
        with self._lock, self._channel as channel:
            with suppress(OSError):  # it may have ended by itself
                channel.sendall(b'{"do": "stop"}\n')
            self._process.wait()

    def _open(self, temporary: Path, folder: Path | None) -> None:
        answer = self._ask(
            do="open",
            temporary=str(temporary),
            folder=None if folder is None else str(folder),
            owner=self.owner,
        )
        if "in_use_by" in answer:
            raise EmbeddedServerError(
                f"The folder {folder} is in use by the server of process {answer['in_use_by']}; "
                f"stop that process or choose another folder."
            )

    def _ask(self, **request: Any) -> dict[str, Any]:
        if os.getpid() != self.owner:
            raise EmbeddedServerError(
                "The embedded server belongs to the process that started it; "
                "a forked child can connect to it but not control it."
            )
        with self._lock:
            try:
                self._channel.sendall(json.dumps(request).encode() + b"\n")
                answer: dict[str, Any] = json.loads(self._line())
            except (OSError, ValueError):
                raise EmbeddedServerError(self._lost()) from None
        if "error" in answer:
            raise EmbeddedServerError(str(answer["error"]))
        return answer

    def _line(self) -> bytes:
        received = b""
        while not received.endswith(b"\n"):
            part = self._channel.recv(4096)
            if not part:
                break
            received += part
        return received

    def _lost(self) -> str:
        last = ""
        if self._errors.exists():
            last = self._errors.read_text(errors="replace").strip().rpartition("\n")[2]
        return f"The embedded server's keeper has ended{f' ({last})' if last else ''}; start again."

    def _forget(self) -> None:
        """Close the channel in a forked child, so that only the owner has it."""
        self._channel.close()
        # Otherwise the child would warn that a process which is not its own still runs.
        self._process.returncode = 0


_living: weakref.WeakSet[KeeperProcess] = weakref.WeakSet()


def _close_in_child() -> None:
    for keeper in list(_living):
        keeper._forget()
    _living.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where find_binary() raises an error
    os.register_at_fork(after_in_child=_close_in_child)
