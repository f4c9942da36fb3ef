"""See to it that every client of a configured connection knows about transactions.

A client that does not would refuse to work inside of another connection's block.
"""

from __future__ import annotations

from typing import Any

from djongo_services.connections import Connection, client_made
from djongo_services.transaction import driver, orm


def watch_everything() -> None:
    client_made.connect(_on_client, dispatch_uid="djongo_services.transaction")
    orm.watch_connections()


def _on_client(*, connection: Connection, client: Any, **kwargs: Any) -> None:
    driver.watch(client, connection.key)
