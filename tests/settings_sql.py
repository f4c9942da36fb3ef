"""Project kind B: the ORM is on SQL, MongoDB is reached through PyMongo."""

from typing import Any

from tests.settings_base import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "djongo_services",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DJONGO_SERVICES: dict[str, Any] = {
    "CONNECTIONS": {
        "default": {"HOST": MONGODB_URI, "NAME": MONGODB_NAME},  # noqa: F405
        "second": {"HOST": MONGODB_URI, "NAME": "djongo_services_tests_2"},  # noqa: F405
    }
}
