"""Versions of rows that django-reversion keeps, serialized.

A name in them cannot be looked up, so the versions are read through, those that mention one of the
fields at all. Only names that nothing else refers to are left to look for by then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models

from djongo_services.storage.collector.references.aliases import Tables
from djongo_services.storage.collector.references.columns import explaining
from djongo_services.storage.collector.references.fields import AnyModel, FileColumn
from djongo_services.storage.collector.references.naming import Naming
from djongo_services.storage.collector.references.sources import Unreadable

LABEL = "reversion.Version"
AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionSource:
    model: AnyModel
    alias: str
    fields: Mapping[str, tuple[Naming, ...]]
    """By the names of fields that hold names of files, whatever model they are of."""

    @property
    def label(self) -> str:
        return f"{LABEL} on {self.alias!r}"

    def probe(self) -> None:
        with explaining():
            list(self._versions()[:1])

    def referenced(self, names: Sequence[str]) -> set[str]:
        held = {
            field: {value: name for naming in namings for value, name in naming.held(names).items()}
            for field, namings in self.fields.items()
        }
        found: set[str] = set()
        with explaining():
            for written, text in self._versions().iterator(chunk_size=AT_ONCE):
                for values in _field_values(written, text):
                    found |= {
                        lookup[values[field]]
                        for field, lookup in held.items()
                        if values.get(field) in lookup
                    }
                if len(found) == len(names):
                    break
        return found

    def _versions(self) -> models.QuerySet[Any, Any]:
        mentions = models.Q()
        for field in self.fields:
            mentions |= models.Q(serialized_data__contains=json.dumps(field))
        rows: models.QuerySet[Any] = models.QuerySet(self.model, using=self.alias)
        return rows.filter(mentions).order_by().values_list("format", "serialized_data")


def version_sources(
    named: Iterable[tuple[FileColumn, Naming]], tables: Tables
) -> Iterator[VersionSource]:
    """On each alias that has versions; none where django-reversion is not installed."""
    fields: dict[str, tuple[Naming, ...]] = {}
    for column, naming in named:
        fields[column.field] = (*fields.get(column.field, ()), naming)
    if not fields or not apps.is_installed("reversion"):
        return
    model = apps.get_model(LABEL)
    for alias in tables.aliases_of(model):
        yield VersionSource(model=model, alias=alias, fields=fields)


def _field_values(written: str, text: str) -> Iterator[Mapping[str, Any]]:
    if written != "json":
        raise Unreadable(f"it has versions in the format {written!r}; write a provider for them")
    try:
        objects = json.loads(text)
    except ValueError:
        raise Unreadable("it has a version that is no JSON; write a provider for it") from None
    for each in objects if isinstance(objects, list) else ():
        values = each.get("fields") if isinstance(each, Mapping) else None
        if isinstance(values, Mapping):
            yield {name: value for name, value in values.items() if isinstance(value, str)}
