"""A project of kind B with the papers, for separate processes."""

import json
import os

from tests.settings_sql import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "djongo_services",
    "tests.storage.following.papers",
]
DATABASES = json.loads(os.environ["FOLLOWING_DATABASES"])
DATABASE_ROUTERS = ["tests.storage.following.papers.models.Router"]
DJONGO_SERVICES = {
    "CONNECTIONS": {
        "default": {
            "HOST": MONGODB_URI,  # noqa: F405
            "NAME": os.environ["FOLLOWING_MONGODB"],
        }
    },
}
