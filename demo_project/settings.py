"""Project kind A: all of Django's data is in MongoDB, through django-mongodb-backend."""

from demo_project.environment import mongodb_name, mongodb_uri
from demo_project.settings_base import *  # noqa: F403
from demo_project.settings_base import MONGODB_OPTIONS, SHELL_PLUS_IMPORTS

INSTALLED_APPS = [
    "demo_project.apps.MongoAdminConfig",
    "demo_project.apps.MongoAuthConfig",
    "demo_project.apps.MongoContentTypesConfig",
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
        "ENGINE": "django_mongodb_backend",
        "HOST": mongodb_uri(),
        "NAME": mongodb_name(),
        "OPTIONS": MONGODB_OPTIONS,
    }
}
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
MIGRATION_MODULES = {
    "admin": "demo_project.mongo_migrations.admin",
    "auth": "demo_project.mongo_migrations.auth",
    "contenttypes": "demo_project.mongo_migrations.contenttypes",
}

# The backend does not create CheckConstraints, and Django warns of it. Here the server checks them
# all the same: syncmongoschema writes them into the validators.
SILENCED_SYSTEM_CHECKS = ["models.W027"]

SHELL_PLUS_IMPORTS = [
    *SHELL_PLUS_IMPORTS,
    "from demo_project.archive.factories import *",
]
