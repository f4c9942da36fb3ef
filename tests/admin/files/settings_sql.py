"""Project kind B with the admin, and a gallery whose rows are in SQLite."""

import os

from tests.admin.settings_sql import *  # noqa: F403
from tests.admin.settings_sql import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.admin.files.gallery"]
# References are looked for in another thread, which would have a database in memory of its own.
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["ADMIN_TEST_SQLITE"]}
}
STORAGES = {
    "default": {
        "BACKEND": "djongo_services.storage.GridFSStorage",
        "OPTIONS": {"bucket": "media", "using": "archive"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
