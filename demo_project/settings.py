"""Project kind A on the engine of this package: all of Django's data is in MongoDB."""

from demo_project.environment import mongodb_name, mongodb_uri
from demo_project.settings_base import *  # noqa: F403
from demo_project.settings_base import MONGODB_OPTIONS, SHELL_PLUS_IMPORTS

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_mongodb_backend",
    "django_extensions",
    "djongo_services",
    "demo_project.archive",
    "demo_project.demo",
]
ROOT_URLCONF = "demo_project.urls"
WSGI_APPLICATION = "demo_project.wsgi.application"

DATABASES = {
    "default": {
        "ENGINE": "djongo_services.backend",
        "HOST": mongodb_uri(),
        "NAME": mongodb_name(),
        "OPTIONS": MONGODB_OPTIONS,
    }
}
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"

# The archive's validators also enforce choices, field validators and blank=False, because all code
# that writes to it validates. Those of Django's own apps enforce what a SQL database would: the
# default.
DJONGO_SERVICES = {
    "SCHEMA": {"RULES": {"archive": "model"}},
    # The server runs on the same machine, whose processors may be busy.
    "ADMIN": {"TIMEOUT": 10},
}

SHELL_PLUS_IMPORTS = [
    *SHELL_PLUS_IMPORTS,
    "from demo_project.archive.factories import *",
]
