"""One run that changes the schema at a time."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from djongo_services import lease
from djongo_services.lease import SECONDS


class Lease(lease.Lease):
    """The lease of the database's schema."""

    def __init__(self, database: Database[dict[str, Any]], *, seconds: float = SECONDS) -> None:
        super().__init__(database, "schema", doing="changing the schema", seconds=seconds)
