"""The groups of collections on the dashboard, by owner."""

from __future__ import annotations

from collections.abc import Collection as Names
from typing import Final, Literal

from django.apps import apps
from django.db.migrations.recorder import MigrationRecorder
from django.utils.translation import gettext as _

from djongo_services.schema.declared import Specs

Group = Literal["models", "files", "free", "django", "own"]
GROUPS: Final[tuple[Group, ...]] = ("models", "files", "free", "django", "own")
"""The groups in their order on the page, the project's own collections first."""
OWN_PREFIX: Final = "djongo_services_"
"""The prefix of the collections in which this app keeps history, leases and profiles."""
_PARTS: Final = frozenset({"files", "chunks", "trash", "uploads", "gc"})
"""The last parts of the names of a bucket's collections."""


def group_of(name: str, specs: Specs, names: Names[str]) -> Group:
    """The group of a collection; ``names`` are those of all collections, because a bucket is
    recognised by its two collections."""
    if name.startswith(OWN_PREFIX):
        return "own"
    if name in specs:
        return "django" if _are_djangos(specs[name].models) else "models"
    if name == MigrationRecorder.Migration._meta.db_table:
        return "django"
    bucket, _dot, part = name.rpartition(".")
    if part in _PARTS and f"{bucket}.files" in names and f"{bucket}.chunks" in names:
        return "files"
    return "free"


def group_name(group: Group) -> str:
    return {
        "models": _("Collections of models"),
        "files": _("Files"),
        "free": _("Without a model"),
        "django": _("Used by Django"),
        "own": _("Kept by this app"),
    }[group]


def _are_djangos(models: Names[str]) -> bool:
    """Whether all of these labels are those of models that come with Django."""
    labels = {label.split(".")[0] for label in models}
    found = [config.name for config in apps.get_app_configs() if config.label in labels]
    return bool(found) and all(name.startswith("django.") for name in found)
