"""Models whose instances are stored in the documents of others."""

from __future__ import annotations

from typing import Any


def is_embedded(model: type[Any]) -> bool:
    """Whether a model is an ``EmbeddedModel`` of django-mongodb-backend, which need not be
    installed."""
    return any(
        base.__name__ == "EmbeddedModel" and base.__module__.startswith("django_mongodb_backend.")
        for base in model.__mro__
    )
