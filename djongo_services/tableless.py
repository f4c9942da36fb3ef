"""Models for the admin that have neither a table nor a collection.

The admin needs a model for each entry of its sidebar. Django and other packages read all models
(``dumpdata``, copies between databases, searches over everything), through their default manager or
their base manager. These managers return nothing, and query no database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from django.db import NotSupportedError, models
from django.db.models.sql import Query

if TYPE_CHECKING:
    _QuerySet = models.QuerySet[Any, Any]
else:
    # Django's classes are generic only for type checkers.
    _QuerySet = models.QuerySet


class TablelessQuery(Query):
    """A query whose result is known to be empty."""

    def get_compiler(
        self, using: str | None = None, connection: Any = None, elide_empty: bool = True
    ) -> Any:
        # Django asks the database for an aggregate whose value for no rows it does not know.
        return super().get_compiler(using, connection, elide_empty=True)

    def get_aggregation(self, using: Any, aggregate_exprs: dict[str, Any]) -> dict[str, Any]:
        values = super().get_aggregation(using, aggregate_exprs)
        return {name: None if value is NotImplemented else value for name, value in values.items()}


class TablelessQuerySet(_QuerySet):
    """A queryset without rows, whose methods never query a database."""

    def __init__(
        self, model: Any = None, query: Any = None, using: str | None = None, hints: Any = None
    ) -> None:
        if query is None and model is not None:
            query = TablelessQuery(model)
            query.set_empty()
        super().__init__(model, query, using, hints)

    def raw(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        return self._refuse_any(objs)

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> int:
        return len(self._refuse_any(objs))

    bulk_update.alters_data = True  # type: ignore[attr-defined]

    def get_or_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def update_or_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse()

    def in_bulk(self, id_list: Iterable[Any] | None = None, **kwargs: Any) -> dict[Any, Any]:
        # Django asks the database how many values one query accepts.
        return {}

    def update(self, **kwargs: Any) -> int:
        return 0

    update.alters_data = True  # type: ignore[attr-defined]

    def delete(self) -> tuple[int, dict[str, int]]:
        return 0, {}

    # As in Django's: not a method of managers, and not called by templates.
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def _update(self, values: Any) -> int:
        return 0

    # Django marks it like this, because only managers' own code may call it.
    _update.queryset_only = False  # type: ignore[attr-defined]

    def _insert(self, *args: Any, **kwargs: Any) -> NoReturn:
        # loaddata saves through save_base(), which calls this and not save().
        self._refuse()

    _insert.queryset_only = False  # type: ignore[attr-defined]

    def _raw_delete(self, using: str | None) -> int:
        return 0

    def _refuse_any(self, objs: Iterable[Any]) -> list[Any]:
        found = list(objs)
        if found:
            self._refuse()
        return found

    def _refuse(self) -> NoReturn:
        raise _not_supported(self.model)


class TablelessModel(models.Model):
    """The base of the admin's models: they have keys, permissions and a history, but no data.

    Subclasses are ``managed = False``.
    """

    objects = models.Manager.from_queryset(TablelessQuerySet)()

    class Meta:
        abstract = True
        # Subclasses find it whose own Meta does not name it, so it is not part of a migration.
        base_manager_name = "objects"
        # Named, because otherwise Django would ask the database's engine for the longest name.
        db_table = "djongo_services_tableless"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises NotSupportedError: there is nowhere to save it."""
        raise _not_supported(type(self))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises NotSupportedError: there is nothing to delete."""
        raise _not_supported(type(self))


def _not_supported(model: type[models.Model]) -> NotSupportedError:
    return NotSupportedError(
        f"{model._meta.label} has no table and no collection; it represents pages of the admin. "
        "Exclude it from what is saved or deleted."
    )
