"""Apps that come and go: each holds one generated module."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.admin import AdminSite
from django.db import models
from django.test import override_settings
from django.urls import clear_url_caches, path

from djongo_services.conf import SETTING
from djongo_services.embedded_models import is_embedded
from tests.introspection.served_project import urls

CONFIGURED: dict[str, Any] = {}


@contextmanager
def installed(label: str, text: str) -> Iterator[AppConfig]:
    """The app ``label`` whose models are those of the text, while the block runs."""
    package, module = types.ModuleType(label), types.ModuleType(f"{label}.models")
    package.__path__ = []
    sys.modules[package.__name__] = package
    sys.modules[module.__name__] = module
    config = type("Config", (AppConfig,), {"path": "/generated"})(label, package)
    config.apps, config.models, config.models_module = apps, apps.all_models[label], module
    try:
        apps.app_configs[label] = config
        apps.clear_cache()
        exec(compile(text, f"{label}/models.py", "exec"), vars(module))
        apps.clear_cache()
        yield config
    finally:
        apps.app_configs.pop(label, None)
        apps.all_models.pop(label, None)
        apps.clear_cache()
        del sys.modules[package.__name__], sys.modules[module.__name__]


@contextmanager
def administered(site: AdminSite) -> Iterator[None]:
    urls.urlpatterns[:] = [path("admin/", site.urls)]
    clear_url_caches()
    try:
        yield
    finally:
        urls.urlpatterns.clear()
        clear_url_caches()


@contextmanager
def enforced(label: str, rules: str, base: dict[str, Any]) -> Iterator[None]:
    """The app's models chosen for the connection, with these rules."""
    schema = {"MODELS": {"default": [label]}, "RULES": rules}
    with override_settings(**{SETTING: {**base, "SCHEMA": schema}}):
        yield


def collections_of(config: AppConfig) -> list[type[models.Model]]:
    return [model for model in config.get_models() if not is_embedded(model)]
