"""The public modules, and in them each name with its signature and what it says of itself."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

from tests.reference.markdown import GENERATED, cell, paragraphs

HEAD = """# Python API

What is listed here keeps its name and meaning: [versions and deprecation](../deprecation.md).
What is not is an implementation detail, whether it begins with an underscore or not. Exceptions
and signals have [pages](exceptions.md) of [their own](signals.md).

"""
PUBLIC: dict[str, tuple[str, ...] | None] = {
    "djongo_services.connections": ("connections", "Connection"),
    "djongo_services.abilities": ("Abilities",),
    "djongo_services.introspection": None,
    "djongo_services.introspection.modelling": None,
    "djongo_services.schema.options": ("collection_options",),
    "djongo_services.schema.mapping": None,
    "djongo_services.schema.diff": None,
    "djongo_services.schema.applying": None,
    "djongo_services.schema.references": None,
    "djongo_services.schema.target": None,
    "djongo_services.indexes": None,
    "djongo_services.operations": (),
    "djongo_services.documentfields": None,
    "djongo_services.modelfields": ("BSONField", "Decimal128Field"),
    "djongo_services.objectids": ("BSONObjectIdField",),
    "djongo_services.transaction": None,
    "djongo_services.transaction.testing": ("RollbackMixin", "rolled_back", "capture_on_commit"),
    "djongo_services.middleware": None,
    "djongo_services.storage": None,
    "djongo_services.storage.bucket": None,
    "djongo_services.storage.codecs": None,
    "djongo_services.storage.collector": None,
    "djongo_services.storage.djongo": None,
    "djongo_services.storage.serving": None,
    "djongo_services.storage.staticfiles": (
        "GridFSManifestStaticFilesStorage",
        "GridFSStaticFilesStorage",
    ),
    "djongo_services.storage.uploads": None,
    "djongo_services.embedded": None,
    "djongo_services.admin": None,
}
"""By module, the names; None: those of its ``__all__``; none: all classes that it defines."""
INTERNAL = {
    "djongo_services.backend.checking": "of the engine",
    "djongo_services.backend.schema": "of the engine",
    "djongo_services.documentforms": "form fields, which the document fields choose themselves",
    "djongo_services.introspection.profiling": "profile() is exported by introspection",
    "djongo_services.introspection.profiling.references": "exported by introspection",
    "djongo_services.introspection.profiling.warnings": "a part of inspect_database()",
    "djongo_services.introspection.reading": "read_catalog() is exported by introspection",
    "djongo_services.schema.constraints": "of the validators",
    "djongo_services.schema.constraints.mql": "of the validators",
    "djongo_services.schema.constraints.queries": "of the validators",
    "djongo_services.storage.collector.references": "exported by storage.collector",
    "djongo_services.transaction.errors": "exported by transaction",
}
"""Modules that have ``__all__`` for their neighbours."""


def page() -> str:
    parts = [GENERATED, HEAD]
    for name in PUBLIC:
        module = importlib.import_module(name)
        parts.append(f"## `{name}`\n\n{_first(module.__doc__)}\n\n")
        for public in names_of(module):
            parts.append(_entry(public, getattr(module, public)) + "\n")
    return "".join(parts)


def names_of(module: ModuleType) -> list[str]:
    listed = PUBLIC[module.__name__]
    if listed is None:
        listed = tuple(module.__all__)
    if not listed:
        listed = tuple(
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and value.__module__ == module.__name__ and name[0] != "_"
        )
    return sorted(listed, key=str.lower)


def _entry(name: str, value: Any) -> str:
    said = " ".join(paragraphs(inspect.getdoc(value)) if _has_own_doc(value) else [])
    lines = [f"- **`{name}{_signature(value)}`**" + (f": {said}" if said else "")]
    if inspect.isclass(value):
        lines += [f"    - {line}" for line in _members(value)]
    return "\n".join(map(cell_free, lines)) + "\n"


def cell_free(line: str) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", line)


def _has_own_doc(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value)


def _signature(value: Any) -> str:
    made_here = getattr(value, "__init__", None) if inspect.isclass(value) else value
    # That of a base class may be another one in another version of it; a Literal has none.
    module = getattr(made_here, "__module__", None) or ""
    if not inspect.isroutine(made_here) or not module.startswith("djongo_services"):
        return ""
    if inspect.isclass(value) and issubclass(value, Exception):
        return ""
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""
    if inspect.isclass(value):
        text = text.removesuffix(" -> None")
    return re.sub(r"<(?:class|function) '?([\w.]+)'?[^>]*>", r"\1", text).replace("'", "")


def _members(cls: type) -> Iterator[str]:
    """Public methods and properties with a docstring, and fields."""
    if is_dataclass(cls):
        names = ", ".join(f"`{one.name}: {one.type}`" for one in fields(cls))
        yield f"fields: {names}"
    for name, value in sorted(vars(cls).items()):
        plain = value.fget if isinstance(value, property) else value
        plain = getattr(plain, "__func__", plain)
        if name.startswith("_") or not inspect.isroutine(plain) or not plain.__doc__:
            continue
        if not plain.__module__.startswith("djongo_services"):
            continue  # of a decorator
        signature = "" if isinstance(value, property) else _signature(plain)
        yield f"`{name}{signature}`: {_first(plain.__doc__)}"


def _first(text: str | None) -> str:
    found = paragraphs(text)
    return cell(found[0]).replace("\\|", "|") if found else ""
