"""The code of an index declares the same index again."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps
from pymongo import IndexModel
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.schema.declared import declared_indexes
from djongo_services.schema.index_code import index_code
from djongo_services.schema.target import collection_spec

INDEXES = {
    "plain": IndexModel("title", name="plain"),
    "descending": IndexModel([("title", 1), ("pages", -1)], name="descending"),
    "a_longer_name_than_django_takes_for_indexes": IndexModel(
        "pages", name="a_longer_name_than_django_takes_for_indexes"
    ),
    "relation": IndexModel([("parent_id", 1), ("at", 1)], name="relation"),
    "ttl": IndexModel("at", name="ttl", expireAfterSeconds=3_600),
    "sparse": IndexModel("pages", name="sparse", sparse=True),
    "unique": IndexModel("title", name="unique", unique=True),
    "unique_present": IndexModel(
        "nick", name="unique_present", unique=True, partialFilterExpression={"nick": {"$gte": ""}}
    ),
    "partial": IndexModel("title", name="partial", partialFilterExpression={"pages": {"$gt": 100}}),
    "text": IndexModel([("title", "text"), ("nick", "text")], name="text", weights={"title": 3}),
    "hashed": IndexModel([("title", "hashed")], name="hashed"),
    "wildcard": IndexModel([("data.$**", 1)], name="wildcard"),
    "german": IndexModel("title", name="german", collation={"locale": "de"}),
    "hidden": IndexModel("nick", name="hidden", hidden=True),
    "inside": IndexModel("data.size", name="inside"),
    "geo": IndexModel([("data.place", "2dsphere")], name="geo"),
}


@isolate_apps("tests.schema")
def model(meta: type) -> type[models.Model]:
    class Sample(models.Model):
        id = models.BigIntegerField(primary_key=True)
        title = models.CharField(max_length=100)
        nick = models.CharField(max_length=100, null=True)
        pages = models.IntegerField(default=0)
        at = models.DateTimeField()
        parent = models.ForeignKey("self", models.CASCADE, null=True, db_index=False)
        data = models.JSONField()

        Meta = meta

    return Sample


@pytest.mark.parametrize("name", INDEXES)
def test_the_pasted_code_declares_the_index(database: Database[Any], name: str) -> None:
    database.samples.create_indexes([INDEXES[name]])
    catalog = read_catalog(database, names=["samples"])
    (collection,) = catalog.collections
    (index,) = [one for one in collection.indexes if not one.is_id]
    common = {"app_label": "samples", "db_table": "samples"}
    plain = model(type("Meta", (), common))
    code = index_code(collection, index, plain, backend=False)
    scope: dict[str, Any] = {}
    exec(code, scope)
    meta = type("Meta", (scope["Meta"],), common)
    spec = collection_spec([model(meta)])
    assert [*declared_indexes(collection, spec, catalog.server)] == [name], code
