"""Serving a storage's files over HTTP, from the bucket and through the project's own checks.

>>> path("media/", include("djongo_services.storage.serving.urls"))  # STORAGES["default"]
>>> path("reports/", include(urlpatterns_for("reports")))  # STORAGES["reports"]
>>> path("scans/<path:name>", serve_view(scans))  # a storage that no setting names
"""

from __future__ import annotations

from django.urls import URLPattern, path

from djongo_services.storage.serving.policy import DEFAULT_INLINE_TYPES
from djongo_services.storage.serving.signing import signed_url
from djongo_services.storage.serving.view import serve_view

__all__ = ["DEFAULT_INLINE_TYPES", "serve_view", "signed_url", "urlpatterns_for"]


def urlpatterns_for(alias: str) -> list[URLPattern]:
    """URL patterns to include under the storage's base URL; the pattern is named
    ``<alias>-file``."""
    return [path("<path:name>", serve_view(alias), name=f"{alias}-file")]
