from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from djongo_services.operations import MISFITS
from tests.engine.migrating.state import APP, Moving
from tests.mongodb_orm import connection, connections


@pytest.fixture
def moving(transactional_db: None) -> Iterator[Moving]:
    yield Moving()
    editor: Any = connection.SchemaEditorClass
    editor.migrate_ended(connections["default"])
    connection.database.drop_collection("djongo_services_migrations")
    for name in connection.database.list_collection_names():
        if name.startswith(f"{APP}_") or name == MISFITS:
            connection.database.drop_collection(name)
