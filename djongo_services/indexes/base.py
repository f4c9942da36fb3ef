"""What all index classes share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

from django.apps import AppConfig, apps
from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import NotSupportedError, connections, router
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import names_digest, split_identifier
from django.db.models import Index, Model, Q
from pymongo import ASCENDING, DESCENDING, IndexModel

from djongo_services.index_kinds import kind_named
from djongo_services.schema.conditions import Filter, merged, partial_filter, prefixed
from djongo_services.schema.constraints import NotExpressible
from djongo_services.schema.fieldpaths import field_path, top_level
from djongo_services.schema.mapping.table import backend_connection
from djongo_services.schema.options import options_of
from djongo_services.schema.spec import DefinesItself

Keys = list[tuple[str, int | str]]
Options = dict[str, Any]

ERROR = "djongo_services.E010"
PACKAGE = "djongo_services.indexes"
"""The package from which migrations import the classes."""

_PLACEHOLDER = "pk"
_SIMPLE = {"locale": "simple"}


class MongoIndex(DefinesItself, Index):
    """What the index classes share; used directly, an index with ``hidden`` and ``collation``."""

    suffix = "mix"
    max_name_length = 127
    kind = "regular"
    """Its row among the kinds of indexes; a class without a row uses one that supports
    collations."""
    own_arguments: ClassVar[tuple[str, ...]] = ()
    """Constructor arguments beside the shared ones, which are also the names of their
    attributes."""

    def __init__(
        self,
        *,
        fields: Sequence[str] = (),
        name: str | None = None,
        condition: Q | None = None,
        hidden: bool = False,
        collation: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(fields=list(fields) or [_PLACEHOLDER], name=name, condition=condition)
        self.fields = list(fields)
        orders = [(f.removeprefix("-"), "DESC" if f.startswith("-") else "") for f in self.fields]
        self.paths = orders
        # Django's checks know only fields of the model, not what is inside them.
        self.fields_orders = [(top_level(path), order) for path, order in orders]
        self.hidden = hidden
        self.collation = None if collation is None else dict(collation)
        self._require(isinstance(hidden, bool), "hidden must be True or False")
        if collation is not None:
            self._require(self._collates, "MongoDB has no collation for this kind of index")
            self._require(isinstance(collation.get("locale"), str), 'collation needs a "locale"')

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        """The keys in the form of ``createIndexes``."""
        return [
            (field_path(model, path, backend=backend)[0], DESCENDING if order else ASCENDING)
            for path, order in self.paths
        ]

    def options(self, model: type[Model], *, backend: bool) -> Options:
        """The options of its own kind, in the spelling of ``createIndexes``."""
        return {}

    def filters(self, model: type[Model], *, backend: bool) -> list[Filter]:
        """The filters of the documents to index, in addition to ``condition``."""
        return []

    def problems(self, model: type[Model]) -> list[str]:
        """What MongoDB would refuse, as clauses."""
        return []

    def definition(
        self, model: type[Model], *, backend: bool, prefix: str = ""
    ) -> tuple[Keys, Options]:
        options = self.options(model, backend=backend)
        filters = self.filters(model, backend=backend)
        if self.condition is not None:
            filters.append(partial_filter(model, self.condition, backend=backend))
        if filters:
            options["partialFilterExpression"] = prefixed(merged(*filters), prefix)
        if self.hidden:
            options["hidden"] = True
        if self.collation is not None:
            options["collation"] = self.collation
        elif not self._collates and options_of(model).collation is not None:
            # It would inherit the collection's, which MongoDB refuses for these kinds.
            options["collation"] = _SIMPLE
        return [
            (f"{prefix}{path}", order) for path, order in self.keys(model, backend=backend)
        ], options

    def get_pymongo_index_model(
        self,
        model: type[Model],
        schema_editor: Any = None,
        field: Any = None,
        unique: bool = False,
        column_prefix: str = "",
    ) -> IndexModel:
        """What the backend's ``migrate`` creates, in 5.2 (all arguments) and in 6.x."""
        try:
            keys, options = self.definition(model, backend=True, prefix=column_prefix)
        except NotExpressible as error:
            raise NotSupportedError(
                f"The index {self.name} of {model._meta.label}: {error}."
            ) from (error)
        return IndexModel(keys, name=self.name, **options)

    def create_sql(
        self,
        model: type[Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Any:
        """A statement without effect: migrations of a SQL database include the index."""
        return f"SELECT 1{schema_editor.connection.features.bare_select_suffix}"

    def remove_sql(
        self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, **kwargs: Any
    ) -> Any:
        return self.create_sql(model, schema_editor)

    def deconstruct(self) -> Any:
        _, _, kwargs = super().deconstruct()
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        if path.startswith(f"{PACKAGE}."):
            path = f"{PACKAGE}.{type(self).__qualname__}"
        for argument in ("hidden", "collation", *self.own_arguments):
            if value := getattr(self, argument):
                kwargs[argument] = value
        return path, (), kwargs

    def set_name_with_model(self, model: type[Model]) -> None:
        """Like Django's, but from the paths: two keys of one JSON field get two names."""
        _, table = split_identifier(model._meta.db_table)
        first = self.fields_orders[0][0] if self.fields else "all"
        parts = [f"-{path}" if order else path for path, order in self.paths]
        digest = names_digest(table, *parts, self.suffix, length=6)
        self.name = f"{table[:11]}_{first[:7]}_{digest}_{self.suffix}"
        if self.name[0] == "_" or self.name[0].isdigit():
            self.name = f"D{self.name[1:]}"

    def check(self, model: type[Model], connection: Any = None) -> list[checks.CheckMessage]:
        """Django's own checks if it has them here (6.1), and :meth:`refusals`."""
        inherited = getattr(super(), "check", None)
        found: list[checks.CheckMessage] = [] if inherited is None else inherited(model, connection)
        return found + self.refusals(model)

    def refusals(self, model: type[Model]) -> list[checks.CheckMessage]:
        """``djongo_services.E010``: MongoDB would refuse the index."""
        try:
            self.definition(model, backend=backend_connection() is not None)
            problems = self.problems(model)
        except (NotExpressible, FieldDoesNotExist) as error:
            problems = [str(error).rstrip(".")]
        return [
            checks.Error(f"The index {self.name!r}: {problem}.", obj=model, id=ERROR)
            for problem in problems
        ]

    @property
    def _collates(self) -> bool:
        return kind_named(self.kind).collates

    def _require(self, fits: bool, otherwise: str) -> None:
        if not fits:
            raise ValueError(f"{type(self).__name__}: {otherwise}.")

    def _several(self) -> None:
        self._require(bool(self.fields), "at least one field is needed")


@checks.register(checks.Tags.models)
def check_indexes(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """Check the indexes of ``databases``, as Django 6.1 does, and the backend for its own databases
    on older versions. Neither checks them without ``--database``."""
    models: Iterable[type[Model]] = (
        apps.get_models()
        if app_configs is None
        else chain.from_iterable(config.get_models() for config in app_configs)
    )
    found: list[checks.CheckMessage] = []
    for model in models:
        own = [index for index in model._meta.indexes if isinstance(index, MongoIndex)]
        if own and not _is_asked(model, databases or ()):
            found += [message for index in own for message in index.refusals(model)]
    return found


def _is_asked(model: type[Model], databases: Sequence[str]) -> bool:
    by_django = hasattr(Index, "check")
    return any(
        router.allow_migrate_model(alias, model)
        and (by_django or connections[alias].vendor == "mongodb")
        for alias in databases
    )
