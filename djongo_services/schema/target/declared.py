"""Indexes derived from Django's own declarations, without any backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db.backends.utils import names_digest
from django.db.models import Index, Model, UniqueConstraint

from djongo_services.schema.conditions import Filter, merged, partial_filter, presence
from djongo_services.schema.constraints import NotExpressible
from djongo_services.schema.fieldpaths import field_path
from djongo_services.schema.mapping.layout import fields_of
from djongo_services.schema.spec import DefinesItself, IndexSpec, Problem


class Declared:
    """What a model's fields and Meta require; ``backend`` is what writes the documents."""

    def __init__(self, model: type[Model], *, backend: bool) -> None:
        self.model = model
        self.label = model._meta.label
        self.backend = backend
        self.problems: list[Problem] = []

    def indexes(self) -> tuple[IndexSpec, ...]:
        """All indexes; ``problems`` has what MongoDB cannot index."""
        found = [*self._of_fields(), *self._together()]
        for constraint in self.model._meta.constraints:
            if isinstance(constraint, UniqueConstraint):
                found += self.constraint(constraint)
        for index in self.model._meta.indexes:
            found += self.index(index)
        return tuple(found)

    def constraint(self, constraint: UniqueConstraint) -> Iterator[IndexSpec]:
        """The unique index of a UniqueConstraint; as in SQL, nulls are distinct by default."""
        name = str(constraint.name)
        if (obstacle := _obstacle(constraint)) is not None:
            self._report(f"constraint {name}", obstacle)
            return
        try:
            filters = self._presence(constraint.fields, constraint.nulls_distinct)
            if constraint.condition is not None:
                filters.append(
                    partial_filter(self.model, constraint.condition, backend=self.backend)
                )
            keys = self._keys([(field, "") for field in constraint.fields])
        except (NotExpressible, FieldDoesNotExist) as error:
            self._report(f"constraint {name}", str(error))
            return
        yield _unique(name, keys, filters, f"{self.label}.Meta.constraints")

    def _of_fields(self) -> Iterator[IndexSpec]:
        fields: Sequence[Any] = fields_of(self.model, backend=self.backend)
        for field in fields:
            path, _ = field_path(self.model, str(field.name), backend=self.backend)
            if path == "_id" or path.startswith("_id."):
                continue
            declared_by = f"{self.label}.{field.name}"
            if field.unique:
                name = self._name([path], "_uniq")
                filters = self._presence_or_report([str(field.name)])
                if filters is not None:
                    yield _unique(name, ((path, 1),), filters, declared_by, named=False)
            elif field.db_index:
                name = self._name([path], "")
                yield IndexSpec(name=name, keys=((path, 1),), named=False, declared_by=declared_by)

    def _together(self) -> Iterator[IndexSpec]:
        for fields in self.model._meta.unique_together:
            keys = self._keys([(field, "") for field in fields])
            filters = self._presence_or_report(fields)
            if filters is not None:
                name = self._name([path for path, _ in keys], "_uniq")
                where = f"{self.label}.Meta.unique_together"
                yield _unique(name, keys, filters, where, named=False)

    def index(self, index: Index) -> Iterator[IndexSpec]:
        if hasattr(index, "search_index_data_types"):
            return
        if index.contains_expressions:
            self._report(
                f"index {index.name}", "MongoDB indexes fields, no expressions; leave it out"
            )
            return
        try:
            keys, options = self._definition(index)
        except (NotExpressible, FieldDoesNotExist) as error:
            self._report(f"index {index.name}", str(error))
            return
        yield IndexSpec(
            name=index.name,
            keys=tuple(keys),
            options=options,
            named=is_named(self.model, index),
            declared_by=f"{self.label}.Meta.indexes",
        )

    def _definition(self, index: Index) -> tuple[Sequence[tuple[str, Any]], Mapping[str, Any]]:
        if isinstance(index, DefinesItself):
            return index.definition(self.model, backend=self.backend)
        if (own := getattr(index, "get_pymongo_index_model", None)) and _is_foreign(index):
            # A third-party class for the backend; what it says about the model applies here as
            # well.
            document = dict(own(self.model, None).document)
            document.pop("name")
            return tuple(document.pop("key").items()), document
        options = {}
        if index.condition is not None:
            options["partialFilterExpression"] = partial_filter(
                self.model, index.condition, backend=self.backend
            )
        return self._keys(index.fields_orders), options

    def _keys(self, fields: Sequence[tuple[str, str]]) -> tuple[tuple[str, int], ...]:
        return tuple(
            (field_path(self.model, name, backend=self.backend)[0], -1 if order else 1)
            for name, order in fields
        )

    def _presence(self, names: Sequence[str], nulls_distinct: bool | None = None) -> list[Filter]:
        """Conditions that exclude nulls; none if no field can be null."""
        if nulls_distinct is False:
            return []
        found = [field_path(self.model, name, backend=self.backend) for name in names]
        return [
            {path: presence(field, backend=self.backend)}
            for path, field in found
            if self.backend or field.null
        ]

    def _presence_or_report(self, names: Sequence[str]) -> list[Filter] | None:
        try:
            return self._presence(names)
        except NotExpressible as error:
            self._report(f"unique {', '.join(names)}", str(error))
            return None

    def _name(self, paths: Sequence[str], suffix: str) -> str:
        table = self.model._meta.db_table
        digest = names_digest(table, *paths, length=8)
        return f"{table}_{'_'.join(paths)}"[:100] + f"_{digest}{suffix}"

    def _report(self, subject: str, reason: str) -> None:
        self.problems.append(
            Problem(subject=f"{self.label}: {subject}", reason=f"It is not created: {reason}.")
        )


def is_named(model: type[Model], index: Index) -> bool:
    """Whether the model chose the name of one of its ``Meta.indexes``; otherwise Django did."""
    if index.contains_expressions:
        return True
    unnamed = index.clone()
    unnamed.set_name_with_model(model)
    return unnamed.name != index.name


def _obstacle(constraint: Any) -> str | None:
    if constraint.expressions:
        return "MongoDB indexes fields, no expressions; a UniqueIndex with collation ignores case"
    if constraint.deferrable is not None:
        return "MongoDB checks at once, it cannot defer"
    if constraint.include:
        return "MongoDB has no covering columns; list them in an Index of their own"
    return None


def _is_foreign(index: Index) -> bool:
    name = "get_pymongo_index_model"
    return getattr(type(index), name) is not getattr(Index, name, None)


def _unique(
    name: str,
    keys: tuple[tuple[str, int], ...],
    filters: Sequence[Filter],
    declared_by: str,
    *,
    named: bool = True,
) -> IndexSpec:
    options: dict[str, Any] = {"unique": True}
    if filters:
        options["partialFilterExpression"] = merged(*filters)
    return IndexSpec(name=name, keys=keys, options=options, named=named, declared_by=declared_by)
