"""``manage.py check`` for the index classes, where nobody else asks them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.db import connections, router
from django.db.models import Index, Model

from djongo_services.indexes.base import MongoIndex


@checks.register(checks.Tags.models)
def check_indexes(
    app_configs: Sequence[AppConfig] | None = None,
    databases: Sequence[str] | None = None,
    **kwargs: Any,
) -> list[checks.CheckMessage]:
    """Django 6.1 asks the indexes of the databases it is told to check, on older ones the backend
    does for its own; neither does without ``--database``."""
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
