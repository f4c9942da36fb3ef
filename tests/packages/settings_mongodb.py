"""The project on MongoDB."""

import os

from tests.packages.settings_base import *  # noqa: F403
from tests.packages.settings_base import INSTALLED_APPS, NAME

INSTALLED_APPS = [
    *(f"tests.packages.apps.{app}Config" for app in ("Admin", "Auth", "ContentTypes")),
    "tests.packages.apps.TaggitConfig",
    *INSTALLED_APPS,
]
for app in ("flatpages", "redirects", "sites"):
    INSTALLED_APPS[INSTALLED_APPS.index(f"django.contrib.{app}")] = (
        f"tests.packages.apps.{app.capitalize()}Config"
    )
DATABASES = {
    "default": {
        "ENGINE": "django_mongodb_backend",
        "HOST": os.environ["DJONGO_SERVICES_TEST_URI"],
        "NAME": NAME,
    }
}
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DJONGO_SERVICES = {"SCHEMA": {"RULES": os.environ.get("PACKAGES_RULES", "database")}}
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
SITE_ID = "000000000000000000000001"
