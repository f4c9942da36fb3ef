"""Generated modules in a separate project: imported, checked, loaded and saved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bson import Int64

from tests.processes import python_path

ROOT = Path(__file__).parents[2]

_SETTINGS = """
SECRET_KEY = "tests"
USE_TZ = {use_tz}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", *{apps!r}]
DATABASES = {{"default": {database!r}}}
DEFAULT_AUTO_FIELD = {auto_field!r}
DATABASE_ROUTERS = {routers!r}
"""

_RUN = """
import io, json, sys, traceback
import django
django.setup()
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import SystemCheckError

answer = {"check": "", "saved": 0, "errors": []}
try:
    call_command("check", fail_level="WARNING", databases=["default"], stdout=io.StringIO())
except SystemCheckError as error:
    answer["check"] = str(error)
for config in apps.get_app_configs():
    for model in config.get_models():
        if sys.argv[1] != "save" or not config.name.startswith("generated"):
            continue
        if not model._meta.db_table or hasattr(model.objects, "create") is False:
            continue
        if any(base.__name__ == "EmbeddedModel" for base in model.__mro__):
            continue
        try:
            for instance in model.objects.all():
                instance.save()
                answer["saved"] += 1
        except Exception:
            answer["errors"].append(f"{model.__name__}: {traceback.format_exc()}")
print(json.dumps(answer))
"""


_SILENCED = [
    # contenttypes and auth keep the integer keys of their own migrations; nothing is migrated.
    "mongodb.E001",
    "mongodb.fields.auto.E001",
    # The backend 6.1 has this of every embedded class that declares its primary key.
    "mongodb.fields.embedded_model.W005",
]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    check: str
    """The messages of ``manage.py check``, including warnings."""
    saved: int
    """Documents that were loaded and saved."""
    errors: list[str]


def run_modules(
    folder: Path,
    modules: list[str],
    *,
    style: Literal["backend", "plain"] = "backend",
    uri: str = "",
    database: str = "",
    save: bool = False,
    use_tz: bool = True,
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """Import each module as the models of an app, check the project, save every document."""
    apps = [f"generated{number}" for number in range(len(modules))]
    for app, text in zip(apps, modules, strict=True):
        (folder / app).mkdir()
        (folder / app / "__init__.py").write_text("")
        (folder / app / "models.py").write_text(text, encoding="utf-8")
    address = {"HOST": uri, "NAME": database, "OPTIONS": dict(options or {})}
    settings = _settings(apps, style, use_tz, address)
    (folder / "generated_settings.py").write_text(settings)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, "save" if save else "check"],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "generated_settings",
            "PYTHONPATH": python_path(folder),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def _settings(apps: list[str], style: str, use_tz: bool, database: dict[str, Any]) -> str:
    backend = style == "backend"
    mongodb = {"ENGINE": "django_mongodb_backend", **database}
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    text = _SETTINGS.format(
        use_tz=use_tz,
        apps=apps,
        database=mongodb if backend else sqlite,
        auto_field="django_mongodb_backend.fields.ObjectIdAutoField"
        if backend
        else "django.db.models.BigAutoField",
        routers=["django_mongodb_backend.routers.MongoRouter"] if backend else [],
    )
    return text + (f"SILENCED_SYSTEM_CHECKS = {_SILENCED}\n" if backend else "")


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """What saving changed, in the words of the documented rewrites, or ``changed``.

    ``null added``, ``order``, ``int to long``, ``int to double``: each with the path behind it.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        common = [key for key in after if key in before]
        if common != list(before):
            if set(common) != set(before):
                yield f"changed {path}: lost {set(before) - set(common)}"
                return
            yield f"order {path}"
        for key in after:
            if key in before:
                yield from differences(before[key], after[key], f"{path}.{key}")
            elif after[key] is None:
                yield f"null added {path}.{key}"
            else:
                yield f"changed {path}.{key}: new {after[key]!r}"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            yield from differences(old, new, f"{path}[]")
    elif type(before) is int and type(after) is Int64 and before == after:
        yield f"int to long {path}"
    elif type(before) is int and type(after) is float and before == after:
        yield f"int to double {path}"
    elif type(before) is not type(after) or not _same(before, after):
        yield f"changed {path}: {before!r} to {after!r}"


def documented(
    change: str, documents: Sequence[Mapping[str, Any]], *, style: str = "backend"
) -> bool:
    """Whether the module's docstring names the change."""
    kind, _, path = change.rstrip().rpartition(" .")
    kind = kind or change.rstrip()
    match kind:
        case "null added":
            return True
        case "order":
            return bool(path) or style == "plain"
        case "int to long" if style == "plain":
            return True
        case "int to long":
            return any("." + path in _paths_of(Int64, each) for each in documents)
        case "int to double":
            return any("." + path in _paths_of(float, each) for each in documents)
    return False


def _paths_of(kind: type, value: Any, path: str = "") -> set[str]:
    match value:
        case _ if type(value) is kind:
            return {path}
        case dict():
            return {
                found
                for key, item in value.items()
                for found in _paths_of(kind, item, f"{path}.{key}")
            }
        case list():
            return set().union(*(_paths_of(kind, item, f"{path}[]") for item in value))
    return set()


def _same(before: Any, after: Any) -> bool:
    # NaN differs from itself, 0.0 equals -0.0: the text tells.
    return repr(before) == repr(after)
