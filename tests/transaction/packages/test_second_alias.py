"""Several DATABASES aliases on MongoDB in a process that has not used them yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from djongo_services.embedded import MongoServer
from tests.transaction.packages.conftest import SetUp

IMPORTS = """
import asyncio
from djongo_services.connections import connections
from djongo_services.transaction import aatomic, atomic, on_commit
from tests.backend_app.models import Author

def count(alias):
    return Author.objects.using(alias).count()
"""
BLOCKS = {
    "the ORM of another alias inside": """
with atomic(using="archive"):
    Author.objects.create(name="of default")
assert count("default") == 1
""",
    "PyMongo of another alias inside": """
with atomic(using="archive"):
    connections["tenant"].database.backend_app_author.insert_one({})
assert count("tenant") == 1
""",
    "blocks inside of each other": """
with atomic(), atomic(using="tenant"):
    Author.objects.create(name="of default")
    Author.objects.using("tenant").create(name="of tenant")
    Author.objects.using("archive").create(name="of none")
assert (count("default"), count("tenant"), count("archive")) == (1, 1, 1)
""",
    "rolled back inside of each other": """
try:
    with atomic("tenant"), atomic("archive"):
        for alias in ("default", "tenant", "archive"):
            Author.objects.using(alias).create(name=alias)
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert (count("default"), count("tenant"), count("archive")) == (1, 0, 0)
""",
    "asyncio": """
async def work():
    async with aatomic("archive"):
        await Author.objects.acreate(name="of default")
        async with aatomic("tenant"):
            await Author.objects.using("tenant").acreate(name="of tenant")
asyncio.run(work())
assert (count("default"), count("tenant")) == (1, 1)
""",
    "in a callback": """
with atomic("archive"):
    on_commit(lambda: Author.objects.create(name="of default"), using="archive")
    Author.objects.using("archive").create(name="of archive")
assert (count("default"), count("archive")) == (1, 1)
""",
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS.keys())
def test_aliases_are_known_before_their_first_command(
    run: Callable[..., str],
    packages_environment: dict[str, str],
    mongodb_server: MongoServer,
    block: str,
) -> None:
    name = packages_environment["PACKAGES_DATABASE"]
    databases: dict[str, Any] = {
        alias: {
            "ENGINE": "django_mongodb_backend",
            "HOST": mongodb_server.uri,
            "NAME": f"{name}_{alias}",
        }
        for alias in ("default", "archive", "tenant")
    }
    try:
        run(f"{SetUp}{IMPORTS}{block}", DATABASES=databases, DJONGO_SERVICES={})
    finally:
        with mongodb_server.client() as client:
            for alias in databases:
                client.drop_database(f"{name}_{alias}")


@pytest.mark.parametrize("address", ["/write/", "/awrite/", "/conflict/"])
def test_the_first_operation_of_a_process_is_a_views(run: Callable[..., str], address: str) -> None:
    code = f"""{SetUp}
from django.test import Client
assert Client().post("{address}").status_code == 200
from tests.transaction.packages.site import TOLD
assert TOLD == ["committed"]
"""
    run(code)


def test_an_engine_that_cannot_be_taught_is_named(run: Callable[..., str]) -> None:
    code = f"""
from django_mongodb_backend.base import DatabaseWrapper
del DatabaseWrapper.rollback_mongo
from django.core.exceptions import ImproperlyConfigured
try:
    {SetUp}except ImproperlyConfigured as error:
    print(error)
"""
    said = run(code)
    assert "The database engine django_mongodb_backend.base has no rollback_mongo" in said
