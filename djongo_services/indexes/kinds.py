"""The classes that declare the kinds of ``index_kinds``, and the options of an ordinary index."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import DateField, Model
from pymongo import ASCENDING, GEO2D, GEOSPHERE, HASHED, TEXT

from djongo_services.index_kinds import KINDS, LONGEST_TTL, wildcard_path
from djongo_services.indexes.base import Keys, MongoIndex, Options
from djongo_services.schema.conditions import Filter, presence
from djongo_services.schema.fieldpaths import field_path


class TTLIndex(MongoIndex):
    """Delete documents ``expire_after`` (seconds or timedelta) after the date in the field.

    The server checks once a minute. Documents that have expired already are deleted as soon as the
    index is built.
    """

    suffix = "ttl"
    own_arguments = ("expire_after",)

    def __init__(self, *, expire_after: dt.timedelta | int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        is_span = isinstance(expire_after, dt.timedelta)
        self.expire_after = int(expire_after.total_seconds()) if is_span else expire_after  # type: ignore[union-attr]
        self._require(len(self.fields) == 1, "MongoDB accepts exactly one field")
        whole = isinstance(self.expire_after, int) and not isinstance(expire_after, bool)
        fits = whole and 0 <= self.expire_after <= LONGEST_TTL  # type: ignore[operator]
        self._require(fits, f"expire_after must be 0 to {LONGEST_TTL:,} seconds or a timedelta")

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
            return [f"{self.paths[0][0]} contains no dates, so nothing would ever expire"]
        return []


class TextIndex(MongoIndex):
    """For ``$text`` queries; ``weights`` by field, 1 for fields that it does not contain.

    A collection can have only one text index.
    """

    suffix = "txt"
    kind = TEXT
    own_arguments = ("weights", *KINDS[TEXT].options)

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
        given = {name: getattr(self, name) for name in KINDS[TEXT].options}
        return options | {name: value for name, value in given.items() if value}

    def problems(self, model: type[Model]) -> list[str]:
        others = [i for i in model._meta.indexes if isinstance(i, TextIndex) and i is not self]
        if others and model._meta.indexes.index(self) > 0:
            return [f"MongoDB has one text index for each collection; {others[0].name} is one"]
        return []


class GeoIndex(MongoIndex):
    """An index of GeoJSON on a sphere (``kind="2dsphere"``), or of pairs on a plane (``2d``).

    Further fields are ordinary keys. ``bits``, ``min`` and ``max`` are for ``2d``.
    """

    suffix = "geo"
    own_arguments = tuple(KINDS[GEO2D].options)

    def __init__(
        self,
        *,
        kind: str = GEOSPHERE,
        bits: int | None = None,
        min: float | None = None,
        max: float | None = None,
        **kwargs: Any,
    ) -> None:
        self.kind, self.bits, self.min, self.max = kind, bits, min, max
        super().__init__(**kwargs)
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
    """An index of the first field's hash, for sharding and equality; other fields are ordinary
    keys."""

    suffix = "hsh"
    kind = HASHED

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._several()

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        (first, _), *rest = super().keys(model, backend=backend)
        return [(first, self.kind), *rest]

    def problems(self, model: type[Model]) -> list[str]:
        name = self.paths[0][0]
        if hasattr(field_path(model, name, backend=True)[1], "base_field"):
            return [f"{name} is an array, and MongoDB hashes no arrays"]
        return []


class WildcardIndex(MongoIndex):
    """An index of every path in the documents, or of those below the one field given.

    ``projection`` limits an index of whole documents: ``{"data": True}`` includes only what it
    names, ``{"notes": False}`` everything else.
    """

    suffix = "wld"
    kind = "wildcard"
    own_arguments = ("projection",)

    def __init__(self, *, projection: Mapping[str, bool] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.projection = {name: bool(taken) for name, taken in (projection or {}).items()}
        self._require(len(self.fields) < 2, "one field at most")
        self._require(not any(o for _, o in self.paths), "wildcards have no descending order")
        self._require(not (self.fields and projection), "projection is for whole documents")
        one_way = len(set(self.projection.values())) < 2
        self._require(one_way, "projection either includes or excludes fields")

    def keys(self, model: type[Model], *, backend: bool) -> Keys:
        bases = [path for path, _ in super().keys(model, backend=backend)] or [""]
        return [(wildcard_path(base), ASCENDING) for base in bases]

    def options(self, model: type[Model], *, backend: bool) -> Options:
        if not self.projection:
            return {}
        paths = {
            field_path(model, name, backend=backend)[0]: int(on)
            for name, on in self.projection.items()
        }
        return {"wildcardProjection": paths}


class SparseIndex(MongoIndex):
    """An index of documents that have one of the fields; an explicit null counts as having it.

    The ORM writes nulls, so this is for documents that other programs write. ``unique`` is as in
    SQL.
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
    unless ``nulls_distinct`` is False. ``full_clean`` does not check it; a duplicate raises
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
