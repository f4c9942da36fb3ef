"""A project whose engine is not installed; its apps need none of it."""

import sys

sys.modules["django_mongodb_backend"] = None  # As if it were not there.
SECRET_KEY = "tests"
INSTALLED_APPS = ["djongo_services"]
DATABASES = {"default": {"ENGINE": "django_mongodb_backend", "NAME": "x"}}
