"""A site whose packages keep their rows in SQLite and whose own documents are in MongoDB.

``PACKAGES`` in the environment is JSON: what a test adds to the settings. Lists are prepended.
"""

import json
import os

from tests.settings_base import *  # noqa: F403

DEBUG = False
MIDDLEWARE = ["djongo_services.middleware.MongoTransactionMiddleware"]
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.staticfiles",
    "djongo_services",
    "tests.transaction.packages.apps.Books",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("PACKAGES_SQLITE", ":memory:"),
    },
    "mongo": {
        "ENGINE": "django_mongodb_backend",
        "HOST": MONGODB_URI,  # noqa: F405
        "NAME": os.environ.get("PACKAGES_DATABASE", "packages"),
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "mongo"}}}
ROOT_URLCONF = "tests.transaction.packages.site"
STATIC_URL = "/static/"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

for _name, _value in json.loads(os.environ.get("PACKAGES", "{}")).items():
    globals()[_name] = [*_value, *globals()[_name]] if isinstance(_value, list) else _value
