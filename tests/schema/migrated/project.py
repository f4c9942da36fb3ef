"""Migrates every case back and forth, with validators and without any.

``python -m tests.schema.migrated.project URI NAME FOLDER APP...`` prints what happened, by case, as
JSON. The folder has the apps, from :mod:`tests.schema.migrated.writing`. The alias ``default`` is
synced; on ``bare`` nothing was ever synced.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any

import django
from bson import ObjectId
from bson.json_util import dumps
from django.conf import settings
from django.core.management import call_command
from pymongo import MongoClient
from pymongo.errors import WriteError

from tests.mongodb_orm import connections

ENGINE = os.environ.get("MIGRATED_ENGINE", "django_mongodb_backend")
"""The engine of the alias ``default``."""
ALIASES = ("default", "bare")
REFUSED = 121
MODELS = ("thing", "tag", "note", "item", "other")


def set_up(uri: str, name: str, folder: str, labels: list[str], **more: Any) -> None:
    sys.path.insert(0, folder)
    settings.configure(
        SECRET_KEY="tests",
        INSTALLED_APPS=["django_mongodb_backend", "djongo_services", *labels],
        DATABASES={
            "default": {"ENGINE": ENGINE, "HOST": uri, "NAME": name},
            "bare": {"ENGINE": "django_mongodb_backend", "HOST": uri, "NAME": f"{name}_bare"},
        },
        DATABASE_ROUTERS=["django_mongodb_backend.routers.MongoRouter"],
        DEFAULT_AUTO_FIELD="django_mongodb_backend.fields.ObjectIdAutoField",
        SILENCED_SYSTEM_CHECKS=["models.W027", "models.W042"],
        USE_TZ=True,
        DJONGO_SERVICES={"SCHEMA": {}},
        **more,
    )
    django.setup()


def migrate(label: str, target: str | None, alias: str) -> str | None:
    """The error that ended it."""
    arguments = [label] if target is None else [label, target]
    try:
        call_command("migrate", *arguments, database=alias, verbosity=0)
    except Exception as error:  # noqa: BLE001 - whatever a user would see
        return f"{type(error).__name__}: {error}"
    return None


def insert(label: str, documents: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Insert into both databases, and return what the synced one refuses."""
    refused = []
    for name, found in documents.items():
        for document in found:
            filled = {key: ObjectId() if one == "oid" else one for key, one in document.items()}
            for alias in ALIASES:
                try:
                    connections[alias].database[f"{label}_{name}"].insert_one(dict(filled))
                except WriteError as error:
                    if error.code == REFUSED:
                        refused.append(f"{alias} {name}: {error.details}")
    return refused


def collections(label: str, alias: str) -> dict[str, Any]:
    """The app's collections and their options, by name without the label."""
    found = connections[alias].database.list_collections()
    names = {one["name"].removeprefix(f"{label}_"): one["options"] for one in found}
    return {name: names[name] for name in sorted(names) if name.startswith(MODELS)}


def validators(label: str) -> dict[str, Any]:
    """Level and action by collection, and how many documents the validator would refuse."""
    database = connections["default"].database
    return {
        name: [
            options.get("validationLevel"),
            options.get("validationAction"),
            database[f"{label}_{name}"].count_documents({"$nor": [options.get("validator", {})]}),
        ]
        for name, options in collections(label, "default").items()
    }


def contents(label: str, alias: str) -> dict[str, Any]:
    """All documents, without the ids that were made for them."""
    database = connections[alias].database
    return {
        name: sorted(
            dumps({k: v for k, v in document.items() if not isinstance(v, ObjectId)})
            for document in database[f"{label}_{name}"].find()
        )
        for name in collections(label, alias)
    }


def check(*labels: str) -> dict[str, Any]:
    """The JSON of ``--check``."""
    output = io.StringIO()
    try:
        call_command(
            "syncmongoschema", *labels, check=True, format="json", stdout=output, verbosity=0
        )
        code = 0
    except SystemExit as left:
        code = int(left.code or 0)
    return {"code": code, **json.loads(output.getvalue())}


def back_and_forth(label: str) -> dict[str, Any]:
    from tests.schema.migrated.cases import CASES

    case = CASES[label]
    found: dict[str, Any] = {"refused_new": insert(label, case.new)}
    found["back"] = {alias: migrate(label, "0001", alias) for alias in ALIASES}
    found["validators_back"] = validators(label)
    found["waiting"] = check(label)["waiting"]
    found["refused_old"] = insert(label, case.old)
    found["forth"] = {alias: migrate(label, None, alias) for alias in ALIASES}
    found["validators_forth"] = validators(label)
    found["contents"] = {alias: contents(label, alias) for alias in ALIASES}
    checked = check(label)
    found["check"] = [
        f"{change['collection']}: {change['words']}" for change in checked["differences"]
    ]
    return found


def main() -> None:
    uri, name, folder, *labels = sys.argv[1:]
    set_up(uri, name, folder, labels)
    with MongoClient[Any](uri) as client:
        for alias in ALIASES:
            call_command("migrate", database=alias, verbosity=0)
        first = {label: check(label)["differences"] for label in labels}
        call_command("syncmongoschema", verbosity=0, stdout=io.StringIO())
        found = {label: {**back_and_forth(label), "first": first[label]} for label in labels}
        for one in (name, f"{name}_bare"):
            client.drop_database(one)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
