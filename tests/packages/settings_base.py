"""A project with Django's own apps, the admin and packages whose fields are unusual."""

import os
import tempfile

SECRET_KEY = "tests"
USE_TZ = True
LANGUAGE_CODE = "en"
ROOT_URLCONF = "tests.packages.urls"
ALLOWED_HOSTS = ["testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "static/"
MEDIA_ROOT = tempfile.gettempdir()
SIMPLE_HISTORY_HISTORY_ID_USE_UUID = True
PHONENUMBER_DEFAULT_REGION = "DE"
NAME = os.environ.get("PACKAGES_DATABASE", "packages")
INSTALLED_APPS = [
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.flatpages",
    "django.contrib.redirects",
    "django.contrib.sites",
    "django_countries",
    "djmoney",
    "phonenumber_field",
    "multiselectfield",
    "model_utils",
    "simple_history",
    "polymorphic",
    "treebeard",
    "djongo_services",
    "tests.packages.shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
# The models as they are: the packages' migrations are for SQL.
MIGRATION_MODULES = dict.fromkeys(
    [
        *("admin", "auth", "contenttypes", "sessions", "sites", "flatpages", "redirects"),
        *("taggit", "djongo_services"),
    ]
)
