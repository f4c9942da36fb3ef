"""Projects with the app ``shop``: new, synced once, and without migrations."""

from __future__ import annotations

import pytest

from tests.schema.migrated.made_project import MadeProject
from tests.schema.migrated.shop import INITIAL, OLD, OLD_BOOK, migration


@pytest.fixture
def project(tmp_path, mongodb_server, database):
    made = MadeProject(tmp_path, mongodb_server.uri, database)
    for folder in ("", "migrations/"):
        made.write(f"{folder}__init__.py", "")
    made.write("models.py", OLD)
    migration(made, "0001_initial", INITIAL)
    return made


@pytest.fixture
def synced(project):
    """A synced project with one document."""
    project.manage_all(["migrate"], ["syncmongoschema"])
    project.database.shop_book.insert_one(dict(OLD_BOOK))
    return project


@pytest.fixture
def unmigrated(project):
    """The app has no migrations."""
    for file in (project.folder / "shop" / "migrations").iterdir():
        file.unlink()
    return project
