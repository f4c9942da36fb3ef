"""Indexes that MongoDB has and Django's ``Index`` cannot say; migrations create them."""

from __future__ import annotations

from typing import Any

from django.db import models
from pymongo import GEOSPHERE, TEXT, IndexModel


class TTLIndex(models.Index):
    """Documents go ``expire_after_seconds`` after the date in the field."""

    suffix = "ttl"

    def __init__(self, *, expire_after_seconds: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.expire_after_seconds = expire_after_seconds

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "expire_after_seconds": self.expire_after_seconds}

    def get_pymongo_index_model(self, model: Any, *args: Any, **kwargs: Any) -> IndexModel:
        return IndexModel(
            [(column, 1) for column in _columns(self, model)],
            name=self.name,
            expireAfterSeconds=self.expire_after_seconds,
        )


class SphereIndex(models.Index):
    """Of a GeoJSON field."""

    suffix = "geo"

    def get_pymongo_index_model(self, model: Any, *args: Any, **kwargs: Any) -> IndexModel:
        return IndexModel([(column, GEOSPHERE) for column in _columns(self, model)], name=self.name)


class TextIndex(models.Index):
    """For ``$text`` queries; ``weights`` by field name, 1 for the fields that are not in it."""

    suffix = "text"

    def __init__(self, *, weights: dict[str, int] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weights = weights or {}

    def deconstruct(self) -> Any:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "weights": self.weights}

    def get_pymongo_index_model(self, model: Any, *args: Any, **kwargs: Any) -> IndexModel:
        weights = {_column(model, name): weight for name, weight in self.weights.items()}
        return IndexModel(
            [(column, TEXT) for column in _columns(self, model)], name=self.name, weights=weights
        )


def _columns(index: models.Index, model: Any) -> list[str]:
    return [_column(model, name) for name, _ in index.fields_orders]


def _column(model: Any, name: str) -> str:
    column: str = model._meta.get_field(name).column
    return column
