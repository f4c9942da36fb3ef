"""All keys of ``DJONGO_SERVICES``."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from datetime import timedelta
from typing import Any

from djongo_services import conf
from djongo_services.transaction.requests import settings as requests
from tests.reference.markdown import (
    GENERATED,
    class_attribute_docs,
    converted,
    paragraphs,
    table,
)

HEAD = """# Settings

All settings are keys of one dict, `DJONGO_SERVICES`. Each is read when it is needed, so
`override_settings` works. An unknown key, or a value of the wrong type, is an
`ImproperlyConfigured` with the setting's full name, and [`djongo_services.E002`](checks.md) in
`manage.py check`.

"""
SECTIONS: dict[str, tuple[str, type]] = {
    "ADMIN": ("_ADMIN_KEYS", conf.AdminSettings),
    "INSPECTION": ("_INSPECTION_KEYS", conf.InspectionSettings),
    "SCHEMA": ("_SCHEMA_KEYS", conf.SchemaSettings),
    "STORAGE": ("_STORAGE_KEYS", conf.StorageSettings),
    "TRANSACTION": ("_TRANSACTION_KEYS", conf.TransactionSettings),
}
NESTED = {
    'STORAGE["UPLOADS"]': ("_UPLOAD_KEYS", conf.UploadSettings),
}
POINTERS = {
    "UPLOADS": "see below",
    "MIDDLEWARE": "see below",
}
CONNECTION = {
    "DATABASE": "the `DATABASES` alias of django-mongodb-backend or the engine whose client is "
    "shared; no other key may stand beside it",
    "HOST": "a host name, or a `mongodb://` or `mongodb+srv://` address",
    "NAME": "the MongoDB database; required without `DATABASE`",
    "PORT": "the port, where `HOST` is a host name",
    "USER": "the user's name",
    "PASSWORD": "the user's password; never shown",
    "OPTIONS": "keyword arguments of `MongoClient`; never shown, because they may hold secrets",
    "TEST": "a dict: `NAME`, the database of a test run (default: `test_` and the name); `MIRROR`, "
    "the alias whose test database this connection uses",
}


def page() -> str:
    parts = [GENERATED, HEAD, "## `CONNECTIONS`\n\nBy alias, each a dict. "]
    parts.append(
        "Without this key, every alias of `DATABASES` that is MongoDB is a connection of the same "
        "name. See [connections](../connections.md).\n\n"
    )
    assert set(CONNECTION) == set(conf._CONNECTION_KEYS)
    parts.append(table("Key", "Means", rows=((f"`{k}`", v) for k, v in CONNECTION.items())))
    for name, (keys, cls) in [*SECTIONS.items(), *NESTED.items()]:
        parts.append(f"\n## `{name}`\n\n{_about(cls)}\n\n")
        rows = list(_rows(getattr(conf, keys), cls))
        parts.append(table("Key", "Type", "Default", "Means", rows=rows))
    parts.append('\n## `TRANSACTION["MIDDLEWARE"]`\n\n')
    parts.append("What requests do with the connections.\n\n")
    defaults = {one.name: one for one in fields(requests.MiddlewareSettings)}
    requested = [
        (f"`{key}`", _default(defaults.get(key.lower())), means) for key, means in middleware_keys()
    ]
    parts.append(table("Key", "Default", "Means", rows=requested))
    return "".join(parts)


def keys() -> set[str]:
    """Every key that the code accepts, at any depth."""
    tree = ast.parse(inspect.getsource(conf))
    tuples = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id.endswith("_KEYS")
    }
    found = {key for each in tuples.values() for key in each}
    return found | set(conf._SERVICES) | set(requests._KEYS) | set(requests._ALIAS_KEYS)


def middleware_keys() -> Iterator[tuple[str, str]]:
    """From the table at the top of the module that reads them."""
    body = re.split(r"^=+ +=+$", inspect.cleandoc(requests.__doc__ or ""), flags=re.MULTILINE)[1]
    for row in re.split(r"\n(?=``)", body.strip()):
        key, means = re.split(r"\s{2,}", row, maxsplit=1)
        yield key.strip("`"), converted(" ".join(means.split()))


def _about(cls: type) -> str:
    _, _, about = paragraphs(cls.__doc__)[0].partition(": ")
    return about[0].upper() + about[1:]


def _rows(names: tuple[str, ...], cls: type) -> Iterator[tuple[str, str, str, str]]:
    docs = class_attribute_docs(conf, cls.__name__)
    known = {one.name: one for one in fields(cls)}
    for name in names:
        if name in POINTERS:
            yield f"`{name}`", "dict", "`{}`", POINTERS[name]
            continue
        field = known[name.lower()]
        text = paragraphs(docs[field.name])
        yield f"`{name}`", f"`{field.type}`", _default(field), " ".join(text)


def _default(field: Any) -> str:
    if field is None:
        return ""
    value = field.default if field.default is not MISSING else None
    if field.default_factory is not MISSING:
        value = field.default_factory()
    if isinstance(value, timedelta):
        return f"`timedelta(hours={value.total_seconds() / 3600:.0f})`"
    if callable(value):
        return f"`{value.__module__}.{value.__qualname__}`"
    if value is None and field.default is MISSING:
        return ""
    return f"`{value!r}`"
