"""Projects whose models refer to files in the bucket ``fs`` of the fixture's database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.test.utils import override_settings
from pymongo.database import Database

from djongo_services.storage.collector import References, find_references
from tests.storage.collector.by_hand import make_bucket


@pytest.fixture
def bucket_of_project(
    database: Database[Any], mongodb_server: Any, settings: Any, django_db_blocker: Any
) -> Iterator[Database[Any]]:
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": {"HOST": mongodb_server.uri, "NAME": database.name}}
    }
    make_bucket(database)
    with django_db_blocker.unblock():
        yield database


@pytest.fixture
def shop(bucket_of_project: Database[Any], settings: Any, django_db_blocker: Any) -> Iterator[Any]:
    """The app ``shop``, whose tables are on the DATABASES alias ``sql``, a database in memory."""
    routers = ["tests.storage.collector.shop.router.ShopRouter", *settings.DATABASE_ROUTERS]
    installed = [*settings.INSTALLED_APPS, "tests.storage.collector.shop"]
    unblocked = django_db_blocker.unblock()
    with unblocked, override_settings(INSTALLED_APPS=installed, DATABASE_ROUTERS=routers):
        every = apps.get_app_config("shop").get_models()
        models = [model for model in every if not model._meta.proxy]
        with connections["sql"].schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        try:
            yield apps.get_app_config("shop")
        finally:
            with connections["sql"].schema_editor() as editor:
                for model in reversed(models):
                    editor.delete_model(model)


@pytest.fixture
def shelf(bucket_of_project: Database[Any], settings: Any, django_db_blocker: Any) -> Iterator[Any]:
    """The app ``shelf``, whose documents are in the ORM's own MongoDB database."""
    installed = [*settings.INSTALLED_APPS, "tests.storage.collector.shelf"]
    with django_db_blocker.unblock(), override_settings(INSTALLED_APPS=installed):
        models = [apps.get_model("shelf", name) for name in ("Folder", "Novel")]
        with connections["default"].schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        try:
            yield models[0]
        finally:
            with connections["default"].schema_editor() as editor:
                for model in models:
                    editor.delete_model(model)


def references_in(database: Database[Any], **options: Any) -> References:
    return find_references(database.name, "fs", **options)
