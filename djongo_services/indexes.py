"""Indexes that MongoDB has and Django's ``Index`` cannot say, for ``Meta.indexes``.

``makemigrations`` writes them into migrations; ``migrate`` on django-mongodb-backend creates them;
``syncmongoschema`` does in every project. On a SQL database they do nothing. Fields may be dotted
paths into embedded models and JSON: ``"address.city"``, ``"-data.year"``.

All take ``hidden`` (kept up to date, not used by queries), ``condition`` (a ``Q`` of the documents
to index; the index needs a name then) and, where MongoDB has it, ``collation``
(``{"locale": "en", "strength": 2}``). Wrong arguments raise ValueError; what only the model can
tell is reported by ``manage.py check``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.core import checks
from django.core.exceptions import FieldDoesNotExist
from django.db import NotSupportedError
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import names_digest, split_identifier
from django.db.models import DateField, Index, Model, Q
from pymongo import ASCENDING, DESCENDING, GEO2D, GEOSPHERE, HASHED, TEXT, IndexModel

from djongo_services.schema.conditions import (
    Filter,
    merged,
    partial_filter,
    prefixed,
    presence,
)
from djongo_services.schema.constraints import NotExpressible
from djongo_services.schema.fieldpaths import field_path, top_level
from djongo_services.schema.options import options_of

Keys = list[tuple[str, int | str]]
Options = dict[str, Any]

_PLACEHOLDER = "pk"
_SIMPLE = {"locale": "simple"}
_LONGEST_TTL = 2**31 - 1


class MongoIndex(Index):
    """What the index classes share; by itself an index with ``hidden`` and ``collation``."""

    suffix = "mix"
    max_name_length = 127
    has_collation: ClassVar[bool] = True
    own_arguments: ClassVar[tuple[str, ...]] = ()
    """Constructor arguments beside the shared ones, also the names of their attributes."""

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
        # Django's checks know fields of the model only, not what is inside them.
        self.fields_orders = [(top_level(path), order) for path, order in orders]
        self.hidden = hidden
        self.collation = None if collation is None else dict(collation)
        self._require(isinstance(hidden, bool), "hidden must be True or False")
        if collation is not None:
            self._require(self.has_collation, "MongoDB has no collation for this kind of index")
            self._require(isinstance(collation.get("locale"), str), 'collation needs a "locale"')

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        """As ``createIndexes`` takes them."""
        return [
            (field_path(model, path, backend=backend)[0], DESCENDING if order else ASCENDING)
            for path, order in self.paths
        ]

    def options(self, model: type[Model], *, backend: bool) -> Options:
        """The options of its own kind, in the spelling of ``createIndexes``."""
        return {}

    def filters(self, model: type[Model], *, backend: bool) -> list[Filter]:
        """Of the documents to index, beside ``condition``."""
        return []

    def problems(self, model: type[Model]) -> list[str]:
        """What MongoDB would refuse, as clauses."""
        return []

    def definition(
        self, model: type[Model], *, backend: bool, prefix: str = ""
    ) -> tuple[Keys, Options]:
        """Keys and all options but the name; ``backend`` says who writes the documents.

        ``prefix`` is the path of an embedded model, with its dot. Raises NotExpressible for a
        condition that partial indexes do not have, and FieldDoesNotExist.
        """
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
        elif not self.has_collation and options_of(model).collation is not None:
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
        """What the backend's ``migrate`` creates, of 5.2 (all arguments) and of 6.x."""
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
        """A statement without effect: migrations of a SQL database carry the index along."""
        return f"SELECT 1{schema_editor.connection.features.bare_select_suffix}"

    def remove_sql(
        self, model: type[Model], schema_editor: BaseDatabaseSchemaEditor, **kwargs: Any
    ) -> Any:
        return self.create_sql(model, schema_editor)

    def deconstruct(self) -> Any:
        path, _, kwargs = super().deconstruct()
        for argument in ("hidden", "collation", *self.own_arguments):
            if value := getattr(self, argument):
                kwargs[argument] = value
        return path, (), kwargs

    def set_name_with_model(self, model: type[Model]) -> None:
        """Like Django's, from the paths: two keys of one JSON field get two names."""
        _, table = split_identifier(model._meta.db_table)
        first = self.fields_orders[0][0] if self.fields else "all"
        parts = [f"-{path}" if order else path for path, order in self.paths]
        digest = names_digest(table, *parts, self.suffix, length=6)
        self.name = f"{table[:11]}_{first[:7]}_{digest}_{self.suffix}"
        if self.name[0] == "_" or self.name[0].isdigit():
            self.name = f"D{self.name[1:]}"

    def check(self, model: type[Model], connection: Any = None) -> list[checks.CheckMessage]:
        """``djongo_services.E010``: MongoDB would refuse the index."""
        inherited = getattr(super(), "check", None)  # Django 6.1 has it.
        found: list[checks.CheckMessage] = [] if inherited is None else inherited(model, connection)
        return found + [
            checks.Error(f"The index {self.name!r}: {problem}.", obj=model, id=ERROR)
            for problem in self._all_problems(model)
        ]

    def _all_problems(self, model: type[Model]) -> list[str]:
        try:
            self.definition(model, backend=True)
            return self.problems(model)
        except (NotExpressible, FieldDoesNotExist) as error:
            return [str(error).rstrip(".")]

    def _require(self, fits: bool, otherwise: str) -> None:
        if not fits:
            raise ValueError(f"{type(self).__name__}: {otherwise}.")

    def _several(self) -> None:
        self._require(bool(self.fields), "at least one field is needed")


class TTLIndex(MongoIndex):
    """Documents go ``expire_after`` (seconds or timedelta) after the date in the field.

    The server looks once a minute. Dates in the past go at once when the index is built.
    """

    suffix = "ttl"
    own_arguments = ("expire_after",)

    def __init__(self, *, expire_after: dt.timedelta | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        is_span = isinstance(expire_after, dt.timedelta)
        self.expire_after = int(expire_after.total_seconds()) if is_span else expire_after  # type: ignore[union-attr]
        self._require(len(self.fields) == 1, "MongoDB takes exactly one field")
        whole = isinstance(self.expire_after, int) and not isinstance(expire_after, bool)
        fits = whole and 0 <= self.expire_after <= _LONGEST_TTL  # type: ignore[operator]
        self._require(fits, f"expire_after must be 0 to {_LONGEST_TTL:,} seconds or a timedelta")

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "expire_after": self.expire_after}

    def options(self, model: type[Model], *, backend: bool) -> Options:
        return {"expireAfterSeconds": self.expire_after}

    def problems(self, model: type[Model]) -> list[str]:
        path, field = field_path(model, self.paths[0][0], backend=True)
        if path == "_id":
            return ["_id cannot expire"]
        if field is not None and not isinstance(getattr(field, "base_field", field), DateField):
            return [f"{self.paths[0][0]} holds no dates, so nothing would ever expire"]
        return []


class TextIndex(MongoIndex):
    """For ``$text`` queries; ``weights`` by field, 1 for those that are not in it.

    A collection has one text index at most.
    """

    suffix = "txt"
    has_collation = False
    own_arguments = ("weights", "default_language", "language_override")

    def __init__(
        self,
        *,
        weights: Mapping[str, int] | None = None,
        default_language: str = "",
        language_override: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.weights = dict(weights or {})
        self.default_language = default_language
        self.language_override = language_override
        self._several()
        for field, weight in self.weights.items():
            self._require(field in self.fields, f"weights names {field!r}, which is not in fields")
            fits = isinstance(weight, int) and 1 <= weight <= 99_999
            self._require(fits, f"the weight of {field!r} must be 1 to 99,999, not {weight!r}")
        self._require(not any(o for _, o in self.paths), "text has no descending order")

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        return [(path, TEXT) for path, _ in super().keys(model, backend=backend)]

    def options(self, model: type[Model], *, backend: bool) -> Options:
        options: Options = {}
        if self.weights:
            paths = {
                field_path(model, name, backend=backend)[0]: weight
                for name, weight in self.weights.items()
            }
            options["weights"] = paths
        if self.default_language:
            options["default_language"] = self.default_language
        if self.language_override:
            options["language_override"] = self.language_override
        return options

    def problems(self, model: type[Model]) -> list[str]:
        others = [i for i in model._meta.indexes if isinstance(i, TextIndex) and i is not self]
        if others and model._meta.indexes.index(self) > 0:
            return [f"MongoDB has one text index for each collection; {others[0].name} is one"]
        return []


class GeoIndex(MongoIndex):
    """Of the first field: GeoJSON on a sphere (``kind="2dsphere"``), or pairs on a plane (``2d``).

    Further fields are ordinary keys. ``bits``, ``min`` and ``max`` are for ``2d``.
    """

    suffix = "geo"
    has_collation = False
    own_arguments = ("bits", "min", "max")

    def __init__(
        self,
        *,
        kind: str = GEOSPHERE,
        bits: int | None = None,
        min: float | None = None,
        max: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kind, self.bits, self.min, self.max = kind, bits, min, max
        self._several()
        self._require(kind in (GEOSPHERE, GEO2D), f"kind must be 2dsphere or 2d, not {kind!r}")
        on_plane = kind == GEO2D or (bits, min, max) == (None, None, None)
        self._require(on_plane, "bits, min and max are for 2d")
        self._require(bits is None or 1 <= bits <= 32, "bits must be 1 to 32")

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        given = {name: getattr(self, name) for name in self.own_arguments}
        kwargs |= {name: value for name, value in given.items() if value is not None}
        return path, args, kwargs if self.kind == GEOSPHERE else {**kwargs, "kind": self.kind}

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        (first, _), *rest = super().keys(model, backend=backend)
        return [(first, self.kind), *rest]

    def options(self, model: type[Model], *, backend: bool) -> Options:
        given = {name: getattr(self, name) for name in self.own_arguments}
        return {name: value for name, value in given.items() if value is not None}


class HashedIndex(MongoIndex):
    """Of the hash of the first field, for sharding and equality; further fields as they are."""

    suffix = "hsh"
    has_collation = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._several()

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        (first, _), *rest = super().keys(model, backend=backend)
        return [(first, HASHED), *rest]

    def problems(self, model: type[Model]) -> list[str]:
        name = self.paths[0][0]
        if hasattr(field_path(model, name, backend=True)[1], "base_field"):
            return [f"{name} is an array, and MongoDB hashes no arrays"]
        return []


class WildcardIndex(MongoIndex):
    """Of every path in the documents, or below the one field given.

    ``projection`` limits an index of whole documents: ``{"data": True}`` takes in what it names
    only, ``{"notes": False}`` everything else.
    """

    suffix = "wld"
    own_arguments = ("projection",)

    def __init__(self, *, projection: Mapping[str, bool] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection = {name: bool(taken) for name, taken in (projection or {}).items()}
        self._require(len(self.fields) < 2, "one field at most")
        self._require(not any(o for _, o in self.paths), "wildcards have no descending order")
        self._require(not (self.fields and projection), "projection is for whole documents")
        one_way = len(set(self.projection.values())) < 2
        self._require(one_way, "projection either takes fields in or leaves them out")

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        return [(f"{path}.$**", ASCENDING) for path, _ in super().keys(model, backend=backend)] or [
            ("$**", ASCENDING)
        ]

    def options(self, model: type[Model], *, backend: bool) -> Options:
        if not self.projection:
            return {}
        paths = {
            field_path(model, name, backend=backend)[0]: int(on)
            for name, on in self.projection.items()
        }
        return {"wildcardProjection": paths}


class SparseIndex(MongoIndex):
    """Only of documents that have one of the fields; an explicit null counts as having it.

    The ORM writes nulls, so this is for documents that others write. ``unique`` as in SQL.
    """

    suffix = "spr"
    own_arguments = ("unique",)

    def __init__(self, *, unique: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.unique = unique
        self._several()
        self._require(self.condition is None, "an index cannot be both sparse and partial")

    def options(self, model: type[Model], *, backend: bool) -> Options:
        return {"sparse": True, "unique": True} if self.unique else {"sparse": True}


class UniqueIndex(MongoIndex):
    """Unique with a collation, which Django's UniqueConstraint cannot have on MongoDB.

    ``{"locale": "en", "strength": 2}`` ignores case. As in SQL, nulls are distinct from one another
    unless ``nulls_distinct`` is False. ``full_clean`` does not look at it; a duplicate is an
    IntegrityError.
    """

    suffix = "unq"

    def __init__(self, *, nulls_distinct: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nulls_distinct = nulls_distinct
        self._several()

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, kwargs if self.nulls_distinct else {**kwargs, "nulls_distinct": False}

    def options(self, model: type[Model], *, backend: bool) -> Options:
        return {"unique": True}

    def filters(self, model: type[Model], *, backend: bool) -> list[Filter]:
        if not self.nulls_distinct:
            return []
        found = [field_path(model, name, backend=backend) for name, _ in self.paths]
        return [{path: presence(field, backend=backend)} for path, field in found]


ERROR = "djongo_services.E010"
