"""A real mongod, or three, as a replica set that lives as long as the program."""

from __future__ import annotations

import atexit
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from djongo_services.embedded.addresses import ADMINISTRATOR, HOST, REPLICA_SET, Access, open_access
from djongo_services.embedded.binary import find_binary, matches
from djongo_services.embedded.folder import (
    make_temporary_folder,
    prepare_folder,
    remember_version,
)
from djongo_services.embedded.keeping import KeeperProcess
from djongo_services.embedded.member import Launch, Member
from djongo_services.exceptions import EmbeddedServerError

if TYPE_CHECKING:
    from pymongo import MongoClient

START_SECONDS = 30.0


class MongoServer:
    """A replica set of one or three members on the loopback interface.

    Use as a context manager, or call :meth:`start` and :meth:`stop`. It ends with the process
    that started it, also when that is killed; forked children may connect but do not control it.
    """

    _access: Access | None = None

    def __init__(
        self,
        members: int = 1,
        *,
        path: str | os.PathLike[str] | None = None,
        in_memory: bool = False,
        port: int | None = None,
        version: str | None = None,
        binary: str | os.PathLike[str] | None = None,
        auth: bool = False,
        test_commands: bool = False,
        cache_gb: float = 0.25,
        parameters: Mapping[str, object] | None = None,
    ) -> None:
        """Set up a server, without starting it.

        ``path``: keep the data in this folder; None: in a temporary one, removed at the end.
        ``in_memory``: the temporary folder is in memory (``/dev/shm``) where 4 GB are free there.
        ``port``: of the first member, the others follow; None: free ones. ``version``: such as
        "4.4" or "6.0.27"; None: the first mongod that is found. ``binary``: this mongod and no
        other. ``auth``: access control, with the user ``root`` of :attr:`uri`.
        ``test_commands``: allow ``configureFailPoint`` and the like. ``cache_gb``: memory of
        WiredTiger's cache, for each member. ``parameters``: mongod's ``--setParameter``.
        """
        _refuse_impossible(members, port)
        self._size = members
        self._path = None if path is None else Path(path).expanduser().absolute()
        self._in_memory = in_memory
        self._port = port
        self._wanted_version = version
        self._binary = None if binary is None else Path(binary).absolute()
        self._auth = auth
        self._cache_gb = cache_gb
        self._parameters = {
            "diagnosticDataCollectionEnabled": "false",
            **({"enableTestCommands": "1"} if test_commands else {}),
            **{name: str(value) for name, value in (parameters or {}).items()},
        }
        self._lock = threading.RLock()
        self._keeper: KeeperProcess | None = None
        self._temporary: Path | None = None
        self._members: tuple[Member, ...] = ()
        self._version = ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Return when a majority has acknowledged a write. Raises EmbeddedServerError."""
        with self._lock:
            if self._keeper is not None:
                raise EmbeddedServerError("This embedded server has been started already.")
            try:
                self._start()
            except BaseException:
                self.stop()
                raise
            atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """End the members and remove temporary files; does nothing if it has ended already."""
        if self._keeper is not None and self._keeper.owner != os.getpid():
            return
        with self._lock:
            atexit.unregister(self.stop)
            if self._keeper is not None:
                self._keeper.stop()
                self._keeper = None
            if self._temporary is not None:
                # The keeper has done it, unless it was never started or was killed.
                shutil.rmtree(self._temporary, ignore_errors=True)
                self._temporary = None

    @property
    def uri(self) -> str:
        """The connection string: all members, the replica set's name and, with auth, ``root``."""
        hosts = ",".join(member.address for member in self.members)
        if self._access is None:
            return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"
        user = f"{ADMINISTRATOR}:{self._access.password}"
        return f"mongodb://{user}@{hosts}/?replicaSet={REPLICA_SET}&authSource=admin"

    @property
    def version(self) -> str:
        """The version of the running server, such as ``6.0.27``."""
        self._require_started()
        return self._version

    @property
    def members(self) -> tuple[Member, ...]:
        """The members in the order of the replica set's configuration."""
        self._require_started()
        return self._members

    def client(self, **options: Any) -> MongoClient[dict[str, Any]]:
        """A new client; the caller closes it. ``options`` are MongoClient's."""
        from pymongo import MongoClient

        return MongoClient(self.uri, **options)

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until all members are PRIMARY or SECONDARY and a majority acknowledged a write."""
        from djongo_services.embedded.replica_set import wait_until_ready

        wait_until_ready([member.address for member in self.members], seconds, self._access)

    def _start(self) -> None:
        self._temporary = make_temporary_folder(in_memory=self._in_memory)
        binary = find_binary(self._wanted_version, self._temporary / "lib", self._binary)
        folder = self._path if self._path is not None else self._temporary
        places = prepare_folder(folder, self._size, binary.version)
        self._keeper = KeeperProcess(temporary=self._temporary, folder=self._path)
        self._version = binary.version
        self._access = open_access(folder) if self._auth else None
        launches = [
            Launch(binary=binary, folder=place, options=self._options(), seconds=START_SECONDS)
            for place in places
        ]
        self._members = tuple(
            Member(number, launch, self._keeper, self._port and self._port + number)
            for number, launch in enumerate(launches)
        )
        self._run_members()
        remember_version(folder, binary.version)

    def _run_members(self) -> None:
        for member in self._members:
            member.spawn()
        # Importing PyMongo takes as long as starting the servers, so both run at the same time.
        from djongo_services.embedded.replica_set import form_replica_set

        for member in self._members:
            member.wait_until_listening()
        form_replica_set([member.address for member in self._members], START_SECONDS, self._access)

    def _options(self) -> list[str]:
        options = ["--replSet", REPLICA_SET, "--bind_ip", HOST, "--nounixsocket"]
        options += ["--wiredTigerCacheSizeGB", f"{self._cache_gb:g}", "--oplogSize", "256"]
        if self._access is not None:
            options += ["--keyFile", str(self._access.key_file)]
        # Otherwise the journal reserves 200 MB more of the disk.
        options += ["--wiredTigerEngineConfigString", "log=(prealloc=false)"]
        parameters = dict(self._parameters)
        if not matches(self._version, "4.4"):
            # 5.0 and later wait 15 s at SIGTERM for clients to leave a primary; 4.4 does not.
            parameters.setdefault("shutdownTimeoutMillisForSignaledShutdown", "100")
        for name, value in parameters.items():
            options += ["--setParameter", f"{name}={value}"]
        return options

    def _require_started(self) -> None:
        if self._keeper is None:
            raise EmbeddedServerError("This embedded server is not running; call start() first.")


def _refuse_impossible(members: int, port: int | None) -> None:
    if members not in (1, 3):
        raise EmbeddedServerError(f"A server has 1 or 3 members, not {members}.")
    if port is not None and not 0 < port <= 65_536 - members:
        raise EmbeddedServerError(f"{port} is not a port; choose one from 1024 to 65000.")
