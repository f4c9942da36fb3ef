"""Makes the tables of all models, reads models out of them, makes tables of these, and compares.

Prints a JSON object: by table, what differs. Run with ``django.setup()`` done.
"""

from __future__ import annotations

import json
import sys
import types
from io import StringIO
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import models
from django.test.utils import isolate_apps
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Collection
from tests.engine.titled import create_tables
from tests.mongodb_orm import connections


def main() -> None:
    originals = [
        model
        for model in apps.get_models(include_auto_created=False)
        if model._meta.managed and not model._meta.proxy and not issubclass(model, EmbeddedModel)
    ]
    create_tables(connections["default"], originals)
    out = StringIO()
    call_command("inspectdb", stdout=out)
    source = out.getvalue().replace("managed = False", "managed = True")
    with isolate_apps("demo_project.archive"):
        create_tables(connections["copy"], _models(source))
    before, after = _tables("default"), _tables("copy")
    differing = {
        name: found
        for name in before.keys() | after
        if (found := _differences(before.get(name), after.get(name)))
    }
    json.dump({"tables": sorted(before), "differing": differing}, sys.stdout)


def _models(source: str) -> list[Any]:
    module = types.ModuleType("demo_project.archive.generated")
    sys.modules[module.__name__] = module
    exec(compile(source, "generated.py", "exec"), module.__dict__)
    return [
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, models.Model)
        and found.__module__ == module.__name__
        and not issubclass(found, EmbeddedModel)
    ]


def _tables(alias: str) -> dict[str, Collection]:
    return {one.name: one for one in read_catalog(connections[alias].database).collections}


def _differences(before: Collection | None, after: Collection | None) -> list[str]:
    if before is None or after is None:
        return ["missing" if after is None else "new"]
    found = []
    one, other = _schema(before), _schema(after)
    found += [
        f"{name}: {one.get(name)} became {other.get(name)}"
        for name in one | other
        if one.get(name) != other.get(name)
    ]
    if (was := _indexes(before)) != (now := _indexes(after)):
        found.append(f"indexes: {was} became {now}")
    return found


def _schema(collection: Collection) -> dict[str, Any]:
    assert collection.validator is not None
    query = collection.validator.query
    schema = (query["$and"][0] if "$and" in query else query)["$jsonSchema"]
    order = {"columns": list(schema["properties"]), "required": schema.get("required")}
    return {**order, **schema["properties"]}


def _indexes(collection: Collection) -> list[Any]:
    return sorted(str(index.definition) for index in collection.indexes)
