"""One mongod of an embedded server."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from djongo_services.embedded.addresses import HOST, free_port, is_free
from djongo_services.embedded.binary import Binary
from djongo_services.embedded.diagnosis import Cause, Diagnosis, diagnose, last_words
from djongo_services.embedded.keeping import KeeperProcess
from djongo_services.exceptions import EmbeddedServerError

_LISTENING = b'"id":23016'
"""The log entry "Waiting for connections"."""
_FATAL = b'"s":"F"'
"""After such an entry some versions run on for a minute before they end."""
_POLL_SECONDS = 0.01
_PORT_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How a member is started, the same at every restart."""

    binary: Binary
    folder: Path
    """The folder with ``data/`` and ``mongod.log``."""
    options: Sequence[str]
    """mongod's command line, without port, folder and log."""
    seconds: float
    """The time limit for the start."""


class Member:
    """A mongod with its port, process id and log, and methods that disturb it."""

    def __init__(self, number: int, launch: Launch, keeper: KeeperProcess, port: int | None):
        self.number = number
        self.host = HOST
        self.port = port or 0
        """0 until it is started, if no port was given."""
        self.pid = 0
        self.log = launch.folder / "mongod.log"
        """One JSON object per line; restarts append to it."""
        self._chosen = port is None
        self._launch = launch
        self._keeper = keeper
        self._offset = 0

    def __repr__(self) -> str:
        return f"<Member {self.number} of {self.address}, process {self.pid}>"

    @property
    def address(self) -> str:
        """``host:port``, as in the replica set's configuration."""
        return f"{self.host}:{self.port}"

    @property
    def data(self) -> Path:
        """The data files."""
        return self._launch.folder / "data"

    @property
    def running(self) -> bool:
        """Whether the process exists (a paused one does)."""
        return self.pid != 0 and self.exit_status is None

    @property
    def exit_status(self) -> int | None:
        """The status of the ended process, negative after a signal; None while it exists."""
        return self._keeper.wait(self.number)

    def last_words(self) -> list[str]:
        """The last errors in the log, otherwise its last lines."""
        return last_words(self.log)

    def kill(self) -> None:
        """Send SIGKILL, like a crash; returns when the process has ended."""
        self._keeper.signal(self.number, signal.SIGKILL)
        self._keeper.wait(self.number, self._launch.seconds)

    def restart(self) -> None:
        """Start it again on its port and data, after :meth:`kill` or while it runs.

        Returns when it is PRIMARY or SECONDARY. Raises EmbeddedServerError.
        """
        from djongo_services.embedded.replica_set import wait_until_healthy

        self.kill()
        self.spawn()
        self.wait_until_listening()
        wait_until_healthy(self.address, self._launch.seconds)

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open, and there are no responses."""
        self._keeper.signal(self.number, signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT after :meth:`pause`."""
        self._keeper.signal(self.number, signal.SIGCONT)

    def spawn(self) -> None:
        """Start the process, before :meth:`wait_until_listening`. Raises EmbeddedServerError."""
        if self._chosen and self.port == 0:
            self.port = free_port()
        elif not is_free(self.port):
            raise EmbeddedServerError(
                f"Port {self.port} is in use by another program; "
                f"choose another port or leave it out."
            )
        self.data.mkdir(exist_ok=True)
        self._offset = self.log.stat().st_size if self.log.exists() else 0
        command = [
            str(self._launch.binary.path),
            *("--port", str(self.port)),
            *("--dbpath", str(self.data)),
            *("--logpath", str(self.log), "--logappend"),
            *self._launch.options,
        ]
        environment = self._launch.binary.environment
        self.pid = self._keeper.spawn(self.number, command, environment, self._output)

    def wait_until_listening(self) -> None:
        """Raises EmbeddedServerError with the reason if the process ends or takes too long."""
        for attempt in range(_PORT_ATTEMPTS):
            failure = self._listen()
            if failure is None:
                return
            again = failure.cause is Cause.PORT_IN_USE and self._chosen
            if not again or attempt == _PORT_ATTEMPTS - 1:
                raise EmbeddedServerError(failure.sentence)
            # Another process was faster; we may choose another port.
            self.port = 0
            self.spawn()

    def _listen(self) -> Diagnosis | None:
        deadline = time.monotonic() + self._launch.seconds
        while time.monotonic() < deadline:
            log = self._read_log()
            if _LISTENING in log:
                return None
            if _FATAL in log or self._keeper.wait(self.number) is not None:
                return diagnose(
                    self.log, self._offset, self._output, folder=self.data, port=self.port
                )
            time.sleep(_POLL_SECONDS)
        return Diagnosis(
            cause=Cause.OTHER,
            sentence=f"mongod did not listen within {self._launch.seconds:g} s; "
            f"is the machine too busy, or the disk of {self.data} very slow?",
        )

    def _read_log(self) -> bytes:
        try:
            with self.log.open("rb") as log:
                log.seek(self._offset)
                return log.read()
        except FileNotFoundError:
            return b""

    @property
    def _output(self) -> Path:
        return self._launch.folder / "mongod.out"
