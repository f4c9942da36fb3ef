"""A project of kind B on PostgreSQL, for separate processes."""

import json
import os

from tests.storage.collector.project_sql import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "djongo_services",
    "tests.storage.collector.unsure",
]
DATABASES = {"default": json.loads(os.environ["COLLECTOR_POSTGRESQL"])}
