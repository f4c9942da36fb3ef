"""The models generated from the demo's database serve it."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo.database import Database

from tests.demo.conftest import Demo, demo
from tests.introspection.served import Served
from tests.introspection.test_models_served import served

__all__ = ["demo", "served"]
OURS = ("auth_", "django_", "djongo_services")
"""Collections of apps that have their models already."""


@pytest.mark.parametrize("values", [False, True])
def test_the_demo(demo: Demo, served: Served, values: bool) -> None:
    assert served.problems(lambda database: _copy(demo.database, database), values=values) == []


def _copy(source: Database[Any], target: Database[Any]) -> None:
    found = list(source.list_collections())
    for info in sorted(found, key=lambda info: info["type"] == "view"):
        name = info["name"]
        if name.startswith(("system.", *OURS)):
            continue
        target.create_collection(name, **info["options"])
        if info["type"] == "view":
            continue
        for index in source[name].list_indexes():
            if index["name"] != "_id_" and not index.get("clustered"):
                target.command("createIndexes", name, indexes=[{**index}])
        documents = list(source[name].find())
        if documents:
            options: dict[str, Any] = (
                {} if info["type"] == "timeseries" else {"bypass_document_validation": True}
            )
            target[name].insert_many(documents, **options)
