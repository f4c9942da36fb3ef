"""Files as djongo wrote them, by PyMongo's own GridFS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gridfs
import pytest
from pymongo.database import Database

from djongo_services.storage.djongo import DjongoGridFSStorage

Put = Callable[..., Any]


@pytest.fixture
def put(database: Database[Any]) -> Put:
    """``put("photos/2019/a.png", b"...", collection="storage")``; the file's id."""

    def put(name: str, content: bytes, collection: str = "storage", **extra: Any) -> Any:
        folder, _, filename = name.rpartition("/")
        bucket = ".".join([collection, *filter(None, folder.split("/"))])
        return gridfs.GridFS(database, bucket).put(content, filename=filename, **extra)

    return put


@pytest.fixture
def old(connected: Database[Any]) -> DjongoGridFSStorage:
    return DjongoGridFSStorage()
