"""Loads documents through generated models, saves them back, and compares what changed.

Everything happens in transactions that are rolled back, so the data stays unchanged.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from django.db import connection
from django.db.models import Model
from django.test.utils import isolate_apps
from django_mongodb_backend.models import EmbeddedModel

from demo_project.demo.bson_difference import difference
from demo_project.demo.step import StepFailed
from djongo_services.transaction import atomic

MOST = 1_000
"""The number of documents of each collection, the first by ``_id``."""
BATCH = 200
APP = "demo_project.archive"

Document = dict[str, Any]


def round_trip(path: Path) -> dict[str, int]:
    """How many documents of each collection went through the models of the module at ``path``.

    Raises StepFailed when the module does not import, its models do not pass Django's checks, or a
    document comes back different.
    """
    with isolate_apps(APP):
        models = list(_models(_load(path)))
        for model in models:
            _check(model)
        writable = plain_collections()
        return {
            model._meta.db_table: _round_trip(model)
            for model in models
            if not issubclass(model, EmbeddedModel) and model._meta.db_table in writable
        }


def plain_collections() -> set[str]:
    """The collections that a transaction may write: no views, time series or capped collections."""
    return {
        found["name"]
        for found in connection.database.list_collections()
        if found["type"] == "collection" and not found["options"].get("capped")
        if not found["name"].startswith("system.")
    }


def _load(path: Path) -> ModuleType:
    """Import it under a name inside an installed app, which gives its models their label."""
    spec = importlib.util.spec_from_file_location(f"{APP}.inspected", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise StepFailed(f"{path.name} cannot be imported: {error}.") from error
    return module


def _models(module: ModuleType) -> Iterator[type[Model]]:
    for value in vars(module).values():
        is_model = isinstance(value, type) and issubclass(value, Model)
        if is_model and value.__module__ == module.__name__ and not value._meta.abstract:
            yield value


def _check(model: type[Model]) -> None:
    serious = [message for message in model.check(databases=["default"]) if message.is_serious()]
    if serious:
        raise StepFailed(f"Django's checks refuse {model.__name__}: {serious[0].msg}")


def _round_trip(model: type[Model]) -> int:
    try:
        return sum(_judge(model, batch) for batch in _batches(model))
    except StepFailed:
        raise
    except Exception as error:  # any error of the generated code is the finding
        raise StepFailed(
            f"{model._meta.db_table} cannot be loaded and saved through {model.__name__}: "
            f"{type(error).__name__}: {error}."
        ) from error


def _batches(model: type[Model]) -> Iterator[list[Model]]:
    instances = model._base_manager.order_by("pk")[:MOST].iterator(chunk_size=BATCH)
    while batch := list(itertools.islice(instances, BATCH)):
        yield batch


def _judge(model: type[Model], batch: list[Model]) -> int:
    with contextlib.suppress(_Undo), atomic():
        _save_and_compare(model, batch)
        raise _Undo
    return len(batch)


def _save_and_compare(model: type[Model], batch: list[Model]) -> None:
    keys = [model._meta.pk.get_db_prep_save(found.pk, connection) for found in batch]
    before = _documents(model, keys)
    for instance in batch:
        instance.save(force_update=True)
    after = _documents(model, keys)
    for key, document in before.items():
        if found := difference(document, after[key]):
            table = model._meta.db_table
            raise StepFailed(f"{table} {key} comes back different through the models: {found}.")


def _documents(model: type[Model], keys: list[Any]) -> dict[str, Document]:
    """The documents by the repr of their ``_id``, which distinguishes 1 from "1" and may be any
    BSON type."""
    collection = connection.database[model._meta.db_table]
    return {repr(found["_id"]): found for found in collection.find({"_id": {"$in": keys}})}


class _Undo(Exception):
    """Leaves the transaction without a commit."""
