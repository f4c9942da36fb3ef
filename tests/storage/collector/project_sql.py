"""A project of kind B with the shop and a history of its documents, for separate processes."""

import os

from tests.settings_sql import *  # noqa: F403

INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "simple_history",
    "reversion",
    "tests.storage.collector.shop",
    "tests.storage.collector.chronicle",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["COLLECTOR_SQLITE"],
    }
}
DJONGO_SERVICES = {
    "CONNECTIONS": {
        "default": {
            "HOST": MONGODB_URI,  # noqa: F405
            "NAME": os.environ["COLLECTOR_DATABASE"],
        }
    },
}
