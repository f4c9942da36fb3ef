"""The parts of a case: an app with two migrations, and documents before and after the second
one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django_mongodb_backend.fields import ObjectIdAutoField

Document = dict[str, Any]
Documents = dict[str, list[Document]]
"""The documents by collection."""


@dataclass(frozen=True, kw_only=True)
class Case:
    initial: Sequence[Operation]
    change: Sequence[Operation]
    old: Documents
    """Documents as they are written between the two migrations."""
    new: Documents
    """The documents after the second migration."""
    closed: bool = False
    dependencies: Sequence[tuple[str, str]] = ()


def thing(**columns: Any) -> migrations.CreateModel:
    return model("Thing", **columns)


def model(
    label: str, /, *, options: Document | None = None, **columns: Any
) -> migrations.CreateModel:
    key = ("id", ObjectIdAutoField(primary_key=True))
    return migrations.CreateModel(label, [key, *columns.items()], options=options or {})


def char(**options: Any) -> models.CharField[Any, Any]:
    return models.CharField(**{"max_length": 20, **options})


def integer(**options: Any) -> models.IntegerField[Any, Any]:
    return models.IntegerField(**options)


def simple(change: Operation, /, *, old: Document, new: Document, **columns: Any) -> Case:
    """One collection, one operation."""
    closed = columns.pop("closed", False)
    return Case(
        initial=[thing(**columns)],
        change=[change],
        old={"thing": [old]},
        new={"thing": [new]},
        closed=closed,
    )


N = {"name": "n"}
LONG = "n" * 30
