"""The single access to MongoDB: ``connections["default"].database``.

Clients are lazy, one per process and alias, shared by all threads (PyMongo's clients are
thread-safe pools), and recreated in a forked child. A connection that names a ``DATABASES`` alias
uses the backend's own client, so that both see the same sessions and transactions.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.dispatch import Signal
from django.utils.connection import ConnectionDoesNotExist
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.database import Database
from pymongo.driver_info import DriverInfo
from pymongo.errors import ConfigurationError
from pymongo.uri_parser import parse_uri

from djongo_services import __version__, database_names, write_listener
from djongo_services.abilities import Abilities, read_abilities
from djongo_services.conf import SETTING, ConnectionSettings, settings
from djongo_services.event_loops import ByLoop

Document = dict[str, Any]

client_made = Signal()
"""Sent with ``connection`` and ``client`` for each client that a connection creates.

The transactions use it to patch the client, so that each operation uses the right session.
"""

DEFAULT_ALIAS = "default"


class Connection:
    """The client, the database and the server's abilities of one alias."""

    def __init__(self, configured: ConnectionSettings) -> None:
        self.alias = configured.alias
        self.settings = configured
        self.key = (
            ("CONNECTIONS", configured.alias)
            if configured.database is None
            else ("DATABASES", configured.database)
        )
        """A key that is equal for connections that share their clients, and with them their
        transactions."""
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._client: MongoClient[Document] | None = None
        self._async_clients = ByLoop[AsyncMongoClient[Document]]()
        self._abilities: tuple[Any, Abilities] | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.alias!r}>"

    @property
    def client(self) -> MongoClient[Document]:
        """The process's client; nothing is sent before its first operation. It is also used in an
        event loop: a storage needs it there while Django parses the body of an async view's
        request.

        Raises ImproperlyConfigured if the options are not those of MongoClient.
        """
        if self.settings.database is not None:
            wrapper = _backend_wrapper(self.settings)
            if wrapper.connection is None:
                with self._explaining_settings():
                    _without_loop(wrapper.ensure_connection)
            shared: MongoClient[Document] = wrapper.connection
            return shared
        self._renew_after_fork()
        with self._lock:
            if self._client is None:
                self._client = self._make(MongoClient)
            return self._client

    @property
    def database(self) -> Database[Document]:
        return self.client[self.database_name]

    @property
    def database_name(self) -> str:
        if self.settings.database is None:
            return database_names.database_name(self.settings)
        name: str = _backend_wrapper(self.settings).settings_dict["NAME"]
        return name

    @property
    def async_client(self) -> AsyncMongoClient[Document]:
        """The client of the running event loop. Raises RuntimeError outside of one.

        It is closed by :meth:`aclose`, or when the loop ends.
        """
        self._renew_after_fork()
        client = self._async_clients.get()
        if client is None:
            made: AsyncMongoClient[Document] = self._make(AsyncMongoClient)
            client = self._async_clients.keep(made, made.close)
        return client

    @property
    def async_database(self) -> AsyncDatabase[Document]:
        return self.async_client[self.database_name]

    @property
    def abilities(self) -> Abilities:
        """The server's features, read once per topology, and again when that changes.

        Raises PyMongo's errors when the server cannot be reached.
        """
        client = self.client
        if self._abilities is None or self._abilities[0] != _topology_key(client):
            found = read_abilities(client)
            self._abilities = (_topology_key(client), found)
        return self._abilities[1]

    @property
    def address(self) -> str:
        """The address of the server, without user and password: ``db1:27017,db2:27017/archive``.

        Raises ImproperlyConfigured if HOST is not a URI that MongoClient accepts.
        """
        with self._explaining_settings():
            return f"{address_of(self.settings)}/{self.database_name}"

    def close(self) -> None:
        """Close what this connection opened itself, but not the backend's client."""
        with self._lock:
            client, self._client = self._client, None
            self._abilities = None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close the running loop's async client."""
        await self._async_clients.end()

    def _renew_after_fork(self) -> None:
        # A forked child shares its parent's sockets, and perhaps a lock that another thread of the
        # parent held; neither may be touched, so both are left unclosed.
        if self._pid != os.getpid():
            self._lock = threading.Lock()
            self._client = None
            self._async_clients = ByLoop()
            self._abilities = None
            self._pid = os.getpid()

    def _make(self, client_class: type[Any]) -> Any:
        with self._explaining_settings():
            arguments = client_arguments(self.settings)
            if self.settings.database is None and database_names.is_testing():
                given = arguments.get("event_listeners", ())
                arguments["event_listeners"] = [*given, write_listener.listener]
            if self.settings.database is not None:
                # The engine's listeners observe both clients of an alias.
                heard = getattr(_backend_wrapper(self.settings), "command_listeners", ())
                given = arguments.get("event_listeners", ())
                arguments["event_listeners"] = [*given, *heard]
            client = client_class(**arguments)
        client_made.send(sender=type(self), connection=self, client=client)
        return client

    @contextmanager
    def _explaining_settings(self) -> Iterator[None]:
        try:
            yield
        except (ConfigurationError, TypeError, ValueError) as error:
            raise ImproperlyConfigured(
                f"The connection {self.alias!r} has settings that MongoClient refuses: {error}"
            ) from error


class ConnectionHandler:
    """``connections[alias]``, built from the settings when first used."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._lock = threading.Lock()

    def __getitem__(self, alias: str) -> Connection:
        connection = self._connections.get(alias)
        if connection is not None:
            return connection
        with self._lock:
            if alias not in self._connections:
                self._connections[alias] = Connection(self._configured(alias))
            return self._connections[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(settings.connections)

    def __contains__(self, alias: object) -> bool:
        return alias in settings.connections

    def all(self) -> list[Connection]:
        return [self[alias] for alias in self]

    def close_all(self) -> None:
        """Close every client that was created here and discard its settings."""
        with self._lock:
            opened, self._connections = list(self._connections.values()), {}
        for connection in opened:
            connection.close()

    def _configured(self, alias: str) -> ConnectionSettings:
        known = settings.connections
        try:
            return known[alias]
        except KeyError:
            names = ", ".join(repr(name) for name in known) or "none"
            raise ConnectionDoesNotExist(
                f'The MongoDB connection {alias!r} is not in {SETTING}["CONNECTIONS"]; '
                f"configured: {names}."
            ) from None


connections = ConnectionHandler()


def _forget_on_changed_settings(*, setting: str, **kwargs: Any) -> None:
    if setting in (SETTING, "DATABASES"):
        connections.close_all()


setting_changed.connect(_forget_on_changed_settings)


def client_arguments(configured: ConnectionSettings) -> dict[str, Any]:
    if configured.database is not None:
        # The async client beside the backend's own: the same server with the same options.
        shared: dict[str, Any] = _backend_wrapper(configured).get_connection_params()
        return shared
    arguments: dict[str, Any] = {
        "host": configured.host,
        "port": configured.port,
        "username": configured.user or None,
        "password": configured.password or None,
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    driver = DriverInfo("djongo_services", __version__)
    return {"tz_aware": True, "driver": driver, **given, **configured.options}


def address_of(configured: ConnectionSettings) -> str:
    """The servers, without user and password: ``db1:27017,db2:27017``."""
    return ",".join(f"{host}:{port}" for host, port in _nodes(configured))


def _backend_wrapper(configured: ConnectionSettings) -> Any:
    """The DatabaseWrapper of the shared alias in this thread."""
    from django.db import connections as databases

    assert configured.database is not None
    try:
        wrapper = databases[configured.database]
    except ConnectionDoesNotExist:
        raise ImproperlyConfigured(
            f"The connection {configured.alias!r} shares DATABASES[{configured.database!r}], "
            f"which does not exist."
        ) from None
    if wrapper.vendor != "mongodb":
        raise ImproperlyConfigured(
            f"The connection {configured.alias!r} shares DATABASES[{configured.database!r}], "
            f"whose engine is {wrapper.vendor}, not MongoDB; give it HOST and NAME of its own."
        )
    return wrapper


def _without_loop(connect: Callable[[], object]) -> None:
    """Connect in another thread: Django refuses to connect in the thread of an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        connect()
    else:
        with ThreadPoolExecutor(1) as executor:
            executor.submit(connect).result()


def _nodes(configured: ConnectionSettings) -> list[tuple[str, int]]:
    host, port = configured.host, configured.port
    if configured.database is not None:
        shared = _backend_wrapper(configured).settings_dict
        host, port = shared.get("HOST") or None, int(shared.get("PORT") or 0) or None
    if host and "://" in host:
        if host.startswith("mongodb+srv://"):
            # Only DNS knows the members of a seed list; its name suffices here.
            return [(host.removeprefix("mongodb+srv://").split("@")[-1].split("/")[0], 27017)]
        nodes: list[tuple[str, int]] = parse_uri(host, warn=False)["nodelist"]
        return nodes
    return [(host or "localhost", port or 27017)]


def _topology_key(client: MongoClient[Document]) -> Any:
    """A key that changes when servers join, leave, restart or change roles."""
    description = client.topology_description
    return frozenset(
        (address, server.server_type, server.max_wire_version)
        for address, server in description.server_descriptions().items()
    )
