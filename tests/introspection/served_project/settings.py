"""Kind A by default; with SERVED_STYLE=plain kind B, whose ORM is on SQL."""

import os

from tests.admin.conftest import MIDDLEWARE as MIDDLEWARE
from tests.admin.conftest import TEMPLATES as TEMPLATES

SERVED_STYLE = os.environ.get("SERVED_STYLE", "backend")
IS_BACKEND = SERVED_STYLE == "backend"
_MONGODB = {"HOST": os.environ["SERVED_URI"], "NAME": os.environ["SERVED_DATABASE"]}

SECRET_KEY = "tests"
USE_TZ = True
ROOT_URLCONF = "tests.introspection.served_project.urls"
ALLOWED_HOSTS = ["testserver"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = None
_CONTRIB = (
    [
        "demo_project.apps.MongoAdminConfig",
        "demo_project.apps.MongoAuthConfig",
        "demo_project.apps.MongoContentTypesConfig",
    ]
    if IS_BACKEND
    else ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"]
)
INSTALLED_APPS = [
    *_CONTRIB,
    "django.contrib.sessions",
    "django.contrib.messages",
    *(["django_mongodb_backend"] if IS_BACKEND else []),
    "djongo_services",
]
MIGRATION_MODULES = {"admin": None, "auth": None, "contenttypes": None, "sessions": None}
if IS_BACKEND:
    DATABASES = {"default": {"ENGINE": "django_mongodb_backend", **_MONGODB}}
    DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
    DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
    # The backend 6.1 has this of every embedded class that declares its primary key.
    SILENCED_SYSTEM_CHECKS = ["mongodb.fields.embedded_model.W005"]
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DJONGO_SERVICES = {
    "CONNECTIONS": {"default": {"DATABASE": "default"} if IS_BACKEND else _MONGODB},
}
