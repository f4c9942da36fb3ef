"""Project kind B: Django's data is in SQLite, and the archive in MongoDB is accessed with
PyMongo."""

from demo_project.environment import VAR, mongodb_name, mongodb_uri
from demo_project.settings_base import *  # noqa: F403
from demo_project.settings_base import MONGODB_OPTIONS

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_extensions",
    "djongo_services",
]
ROOT_URLCONF = "demo_project.urls_sql"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR / "demo.sqlite3",
        # As MongoTransactionMiddleware does in MongoDB: a request that fails changes nothing.
        "ATOMIC_REQUESTS": True,
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DJONGO_SERVICES = {
    "CONNECTIONS": {
        "default": {
            "HOST": mongodb_uri(),
            "NAME": mongodb_name(),
            "OPTIONS": MONGODB_OPTIONS,
        }
    },
    "ADMIN": {"TIMEOUT": 10},
}
