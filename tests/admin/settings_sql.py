"""Project kind B with the admin."""

import os

from tests.admin.conftest import MIDDLEWARE as MIDDLEWARE
from tests.admin.conftest import TEMPLATES as TEMPLATES
from tests.settings_sql import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "djongo_services",
    "tests.admin.shelf",
]
ROOT_URLCONF = "tests.admin.urls"
STATIC_URL = "/static/"
DJONGO_SERVICES = {
    "CONNECTIONS": {
        "archive": {
            "HOST": MONGODB_URI,  # noqa: F405
            "NAME": os.environ.get("ADMIN_TEST_DATABASE", "djongo_services_admin_sql"),
        }
    },
    "ADMIN": {"TIMEOUT": 60},
}
