"""Signals and exceptions, wherever they are in the package."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import djongo_services
from djongo_services.exceptions import DjongoServicesError
from tests.reference.markdown import GENERATED, attribute_docs, modules, paragraphs, table

SIGNALS_HEAD = """# Signals

Connect to them as to Django's: `schema_synced.connect(receiver)`.

"""
EXCEPTIONS_HEAD = """# Exceptions

All are subclasses of `djongo_services.exceptions.DjongoServicesError`, and of the exception of
Django or Python that code without knowledge of this package would catch. A message is one
sentence, and says what to do next.

"""
INTERNAL_SIGNALS = {"client_made": "for this package's own rooms"}


def signals_page() -> str:
    rows = [(f"`{module}.{name}`", means) for module, name, means in signals()]
    return GENERATED + SIGNALS_HEAD + table("Signal", "Sent", rows=rows)


def signals() -> Iterator[tuple[str, str, str]]:
    for module, tree in modules():
        docs = attribute_docs(tree.body)
        for node in tree.body:
            match node:
                case ast.Assign(
                    targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="Signal"))
                ) if name not in INTERNAL_SIGNALS:
                    yield _exported_by(module, name), name, " ".join(paragraphs(docs[name]))


def _exported_by(module: str, name: str) -> str:
    """The package that is meant to be imported from."""
    package = importlib.import_module(module.rpartition(".")[0])
    return package.__name__ if name in getattr(package, "__all__", ()) else module


def exceptions_page() -> str:
    rows = [
        (
            f"`{one.__module__}.{one.__qualname__}`",
            ", ".join(f"`{base.__name__}`" for base in one.__bases__),
            " ".join(paragraphs(one.__doc__)),
        )
        for one in exceptions()
    ]
    return GENERATED + EXCEPTIONS_HEAD + table("Exception", "Is a", "Means", rows=rows)


def exceptions() -> list[type[Exception]]:
    for found in pkgutil.walk_packages(djongo_services.__path__, "djongo_services."):
        if ".migrations" not in found.name and ".backend" not in found.name:
            importlib.import_module(found.name)
    return sorted(_public(DjongoServicesError), key=lambda one: (one.__module__, one.__name__))


def _public(cls: type[Exception]) -> set[type[Exception]]:
    below = {each for sub in cls.__subclasses__() for each in _public(sub)}
    ours = cls.__module__.startswith("djongo_services.") and not cls.__name__.startswith("_")
    assert not ours or inspect.getdoc(cls), cls
    return below | ({cls} if ours else set())
