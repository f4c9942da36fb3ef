"""Columns of tables that hold names of files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connections, models, transaction

from djongo_services.storage.collector.references.naming import Naming
from djongo_services.storage.collector.references.sources import Unreadable

AT_ONCE = 10_000
"""Names in one query, where the database does not allow fewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnSource:
    """One column of one model's table on one DATABASES alias."""

    model: type[models.Model]
    field: str
    alias: str
    naming: Naming

    @property
    def label(self) -> str:
        return f"{self.model._meta.label}.{self.field} on {self.alias!r}"

    def probe(self) -> None:
        with explaining():
            # A query that fails inside of a transaction would take that with it.
            with transaction.atomic(using=self.alias):
                list(self._names()[:1])

    def referenced(self, names: Sequence[str]) -> set[str]:
        held = self.naming.held(name for name in names if self._can_hold(name))
        found: set[str] = set()
        with explaining():
            for some in self._pieces(list(held)):
                asked = self._names().filter(**{f"{self.field}__in": some}).distinct()
                found |= {held[each] for each in asked.iterator() if each in held}
        return found

    def _can_hold(self, name: str) -> bool:
        """PostgreSQL has no null characters, and refuses the whole query for one."""
        return "\0" not in name or connections[self.alias].vendor != "postgresql"

    def _names(self) -> models.QuerySet[Any, Any]:
        """By a plain queryset: managers may hide rows, such as those that count as deleted."""
        rows: models.QuerySet[Any] = models.QuerySet(self.model, using=self.alias)
        return rows.order_by().values_list(self.field, flat=True)

    def _pieces(self, names: Sequence[str]) -> Iterator[Sequence[str]]:
        size = connections[self.alias].features.max_query_params or AT_ONCE
        for at in range(0, len(names), min(size, AT_ONCE)):
            yield names[at : at + min(size, AT_ONCE)]


@contextmanager
def explaining() -> Iterator[None]:
    """Turn what the ORM raises into Unreadable."""
    try:
        yield
    except (Error, ImproperlyConfigured) as error:
        raise Unreadable(first_line(error)) from error


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ") or type(error).__name__
