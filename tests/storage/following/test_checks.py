"""The system checks report where files cannot follow their rows."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test import override_settings

from djongo_services.storage import GridFSStorage
from tests.conftest import RunDjango

MIDDLEWARE = "djongo_services.middleware.MongoTransactionMiddleware"


def storages(**options: Any) -> dict[str, Any]:
    backend = "djongo_services.storage.GridFSStorage"
    return {"default": {"BACKEND": backend, "OPTIONS": options}}


def ours() -> list[Any]:
    found = run_checks(databases=[], tags=["files"])
    return [one for one in found if one.id.startswith("djongo_services")]


def test_an_alias_that_is_not_there() -> None:
    with override_settings(STORAGES=storages(follow="gone")):
        (found,) = ours()
    assert found.id == "djongo_services.E021"
    assert found.msg == "STORAGES[\"default\"] follows 'gone', which is not in DATABASES."
    with override_settings(STORAGES=storages(follow="sql")):
        assert ours() == []
    with pytest.raises(ImproperlyConfigured, match="follow of a GridFSStorage must be an alias"):
        GridFSStorage(follow=True)


def test_a_storage_of_a_field(papers: Any, monkeypatch: Any) -> None:
    field = papers.Paper._meta.get_field("file")
    monkeypatch.setattr(field, "storage", GridFSStorage(follow="gone"))
    (found,) = ours()
    assert found.msg.startswith("The storage of papers.Paper.file follows 'gone'")


CODE = f"""
from django.core.checks import run_checks
from django.db import connections
from django.test import override_settings

def found(**default):
    connections.settings["default"].update(default)
    return [one.id for one in run_checks(databases=[]) if one.id.startswith("djongo")]

backend = {{"BACKEND": "djongo_services.storage.GridFSStorage"}}
with override_settings(STORAGES={{"default": backend}}, MIDDLEWARE=["{MIDDLEWARE}"]):
    print(found(), found(ATOMIC_REQUESTS=True), found(ATOMIC_REQUESTS=False))
follows = {{**backend, "OPTIONS": {{"follow": "default"}}}}
with override_settings(STORAGES={{"default": follows}}, MIDDLEWARE=["{MIDDLEWARE}"]):
    print(found())
with override_settings(STORAGES={{"default": backend}}):
    print(found())
"""


def test_requests_that_fail(django_sql: RunDjango) -> None:
    done = django_sql(code=CODE)
    expected = "['djongo_services.W020'] [] ['djongo_services.W020']\n[]\n[]\n"
    assert (done.returncode, done.stdout) == (0, expected), done.stderr


def test_the_orm_on_mongodb() -> None:
    assert connections["default"].vendor == "mongodb"
    with override_settings(STORAGES=storages(), MIDDLEWARE=[MIDDLEWARE]):
        assert ours() == []


def test_methods_of_django_that_were_replaced(monkeypatch: Any) -> None:
    import functools

    from django.db.models import QuerySet
    from django.db.models.fields.files import FieldFile

    original = FieldFile.save

    @functools.wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    with override_settings(STORAGES=storages()):
        monkeypatch.setattr(FieldFile, "save", wrapped)
        assert ours() == []
        monkeypatch.setattr(FieldFile, "save", lambda self, *args: original(self, *args))
        monkeypatch.setattr(QuerySet, "bulk_create", lambda self, objs: objs)
        (found,) = ours()
    assert found.id == "djongo_services.W023"
    assert found.msg == (
        "The storages do not know which database a file's row is in, because these methods of "
        "Django were replaced after django.setup(): FieldFile.save, QuerySet.bulk_create. Files "
        'follow the transactions of "default".'
    )
