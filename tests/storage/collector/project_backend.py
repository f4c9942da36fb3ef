"""A project of kind A with the shelf, for separate processes."""

import os

from tests.settings_backend import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.storage.collector.shelf"]  # noqa: F405
DATABASES = {
    "default": {
        "ENGINE": "django_mongodb_backend",
        "HOST": MONGODB_URI,  # noqa: F405
        "NAME": os.environ["COLLECTOR_DATABASE"],
    }
}
