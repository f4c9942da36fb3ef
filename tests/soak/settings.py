"""The project of the soak: kind A on the engine, with files and the admin."""

import os

from tests.settings_base import *  # noqa: F403

ROOT_URLCONF = "tests.soak.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django_mongodb_backend",
    "djongo_services",
    "tests.soak.town",
    "tests.soak.moving",
]
DATABASES = {
    "default": {
        "ENGINE": "djongo_services.backend",
        "HOST": MONGODB_URI,  # noqa: F405
        "NAME": os.environ.get("SOAK_DATABASE", "soak"),
        # A member that has become a primary is found soon, as the load has to go on.
        "OPTIONS": {"heartbeatFrequencyMS": 1000, "serverSelectionTimeoutMS": 20_000},
    }
}
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
MIDDLEWARE = [
    "djongo_services.middleware.MongoTransactionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
STORAGES = {
    "default": {
        "BACKEND": "djongo_services.storage.GridFSStorage",
        "OPTIONS": {"bucket": "media"},
    },
    "slots": {
        "BACKEND": "djongo_services.storage.GridFSStorage",
        "OPTIONS": {"bucket": "slots", "allow_overwrite": True},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "static/"
MEDIA_URL = "media/"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DJONGO_SERVICES = {
    # The pages are to be whole however busy the machine is.
    "ADMIN": {"TIMEOUT": 20},
    "TRANSACTION": {"MIDDLEWARE": {"READ_YOUR_WRITES": "cookie"}},
    # Names of the load that are no references.
    "STORAGE": {"SEARCH_EXCLUDE": ["soak_*"]},
}
