"""The same project on SQL: SQLite, or PostgreSQL where its host or socket folder is given."""

import os

from tests.packages.settings_base import *  # noqa: F403
from tests.packages.settings_base import INSTALLED_APPS, NAME

INSTALLED_APPS = [
    *(f"django.contrib.{app}" for app in ("admin", "auth", "contenttypes")),
    "taggit",
    *INSTALLED_APPS,
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
if host := os.environ.get("PACKAGES_POSTGRESQL"):
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": host,
        "USER": "postgres",
        "NAME": NAME,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SITE_ID = 1
