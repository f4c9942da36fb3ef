"""Models without a declared primary key, whose documents get their ``_id`` from elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64, ObjectId
from django.db import models
from django.test.utils import isolate_apps
from pymongo.errors import DuplicateKeyError, WriteError

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import apply
from djongo_services.schema.mapping import from_document, to_document
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.target import collection_spec

OBJECT_ID = ObjectId("5f43a4d1b2c3d4e5f6a7b8c9")


@pytest.fixture
def shop(settings: Any) -> Any:
    settings.DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    with isolate_apps("tests.schema.apps.target"):

        class Shop(models.Model):
            name = models.CharField(max_length=9)

            class Meta:
                app_label = "target"

        class Branch(Shop):
            owner = models.ForeignKey(Shop, models.CASCADE, related_name="+")
            twin = models.OneToOneField(Shop, models.CASCADE, null=True, related_name="+")

            class Meta:
                app_label = "target"

        class Numbered(models.Model):
            number = models.BigAutoField(primary_key=True)

            class Meta:
                app_label = "target"

        yield Shop, Branch, Numbered


@pytest.fixture
def synced(matrix_database: Any, shop: Any) -> Any:
    specs = [collection_spec([model]) for model in shop]
    apply(matrix_database, make_plan(matrix_database, specs))
    assert {
        found.validator.level
        for found in read_catalog(matrix_database).collections
        if found.name.startswith("target_")
    } == {"strict"}
    return matrix_database


@pytest.mark.parametrize("given", [{}, {"_id": 1}, {"_id": "a"}, {"_id": {"a": 1}}])
def test_an_id_of_any_type(synced: Any, given: dict[str, Any]) -> None:
    synced.target_shop.insert_one({**given, "name": "x"})
    synced.target_branch.insert_one({**given, "name": "x", "owner_id": 1, "twin_id": None})
    assert synced.target_shop.count_documents({}) == 1


def test_the_other_fields_are_checked_as_ever(synced: Any) -> None:
    with pytest.raises(WriteError):
        synced.target_shop.insert_one({"name": 5})


@pytest.mark.parametrize("key", [ObjectId(), 5, Int64(5)])
def test_references_follow(synced: Any, key: Any) -> None:
    branch = {"name": "x", "owner_id": key, "twin_id": key}
    synced.target_branch.insert_one(dict(branch))
    with pytest.raises(DuplicateKeyError):
        synced.target_branch.insert_one(dict(branch))
    synced.target_branch.insert_one({**branch, "twin_id": None})


@pytest.mark.parametrize("key", ["5", None, True])
def test_references_of_other_types_are_refused(synced: Any, key: Any) -> None:
    with pytest.raises(WriteError):
        synced.target_branch.insert_one({"name": "x", "owner_id": key, "twin_id": None})


def test_a_key_of_its_own_keeps_its_type(synced: Any) -> None:
    synced.target_numbered.insert_one({"_id": 1})
    with pytest.raises(WriteError):
        synced.target_numbered.insert_one({})


@pytest.mark.parametrize("key", [OBJECT_ID, 5, "a"])
def test_to_documents_and_back(shop: Any, key: Any) -> None:
    plain_shop, branch, _ = shop
    document = to_document(plain_shop(pk=key, name="x"))
    assert document == {"_id": key, "name": "x"}
    assert from_document(plain_shop, document).pk == key
    document = to_document(branch(pk=key, name="x", owner_id=key))
    assert document == {"_id": key, "name": "x", "owner_id": key, "twin_id": None}
    again = from_document(branch, document)
    assert (again.pk, again.id, again.owner_id) == (key, key, key)
