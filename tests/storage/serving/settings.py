"""The site that ``server.py`` serves, on the database that the test names."""

import json
import os

from tests.settings_base import *  # noqa: F403

ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["djongo_services"]
DATABASES: dict[str, dict[str, str]] = {}
ROOT_URLCONF = "tests.storage.serving.urls"
MIDDLEWARE = json.loads(os.environ["SERVED_MIDDLEWARE"])
DJONGO_SERVICES = {
    "CONNECTIONS": {
        "default": {"HOST": os.environ["SERVED_URI"], "NAME": os.environ["SERVED_DATABASE"]}
    }
}
STORAGES = {"default": {"BACKEND": "djongo_services.storage.GridFSStorage"}}
