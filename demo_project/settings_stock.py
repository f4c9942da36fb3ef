"""The same project on the unmodified django-mongodb-backend, without the engine.

In addition to the other ``ENGINE``, this needs configurations and migrations of Django's own apps,
whose keys would otherwise be integers.
"""

from demo_project.settings import *  # noqa: F403
from demo_project.settings import DATABASES, INSTALLED_APPS

_CONFIGURED = {
    "django.contrib.admin": "demo_project.apps.MongoAdminConfig",
    "django.contrib.auth": "demo_project.apps.MongoAuthConfig",
    "django.contrib.contenttypes": "demo_project.apps.MongoContentTypesConfig",
}
INSTALLED_APPS = [_CONFIGURED.get(app, app) for app in INSTALLED_APPS]
DATABASES = {"default": {**DATABASES["default"], "ENGINE": "django_mongodb_backend"}}
MIGRATION_MODULES = {
    "admin": "demo_project.mongo_migrations.admin",
    "auth": "demo_project.mongo_migrations.auth",
    "contenttypes": "demo_project.mongo_migrations.contenttypes",
}

# The backend does not create CheckConstraints, and Django warns of that. Here the server checks
# them anyway: syncmongoschema writes them into the validators.
SILENCED_SYSTEM_CHECKS = ["models.W027"]
