"""Writes an app with its migrations, and with the models that the last one leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.db.migrations.serializer import serializer_factory
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter

_HEAD = """from django.db import models
import django.db.models.deletion

from djongo_services.schema.options import collection_options

"""


def write_app(
    folder: Path,
    label: str,
    initial: Sequence[Operation],
    *changes: Sequence[Operation],
    dependencies: Sequence[tuple[str, str]] = (),
    closed: bool = False,
) -> None:
    """The migrations are ``0001_initial``, ``0002_change``, ``0003_change``, ..."""
    app = folder / label
    (app / "migrations").mkdir(parents=True)
    (app / "__init__.py").write_text("")
    (app / "migrations" / "__init__.py").write_text("")
    state = ProjectState()
    needed: list[tuple[str, str]] = []
    for number, operations in enumerate((initial, *changes), start=1):
        name = f"{number:04}_{'initial' if number == 1 else 'change'}"
        content = {"operations": list(operations), "dependencies": needed}
        made = type("Migration", (migrations.Migration,), content)(name, label)
        (app / "migrations" / f"{name}.py").write_text(MigrationWriter(made, False).as_string())
        state = made.mutate_state(state)
        needed = [(label, name), *dependencies]
    (app / "models.py").write_text(models_source(state, closed=closed))


def models_source(state: ProjectState, *, closed: bool) -> str:
    imports: set[str] = set()
    classes = ["\n".join(_lines(model, imports, closed=closed)) for model in state.models.values()]
    return "\n".join([*sorted(imports), _HEAD, *classes, ""])


def _lines(model: ModelState, imports: set[str], *, closed: bool) -> Iterator[str]:
    if closed and not model.options.get("proxy"):
        yield "@collection_options(closed=True)"
    yield f"class {model.name}({', '.join(_base(one, imports) for one in model.bases)}):"
    for name, field in model.fields.items():
        yield f"    {name} = {_serialized(field, imports)}"
    yield "    class Meta:"
    yield "        pass"
    for option, value in model.options.items():
        if value:
            yield f"        {option} = {_serialized(value, imports)}"
    yield ""


def _base(base: Any, imports: set[str]) -> str:
    if isinstance(base, str):
        return base.partition(".")[2].title()
    return _serialized(base, imports)


def _serialized(value: Any, imports: set[str]) -> str:
    text, needed = serializer_factory(value).serialize()
    imports |= needed
    return str(text)
