"""Project kind A: the ORM's default database is MongoDB (django-mongodb-backend)."""

from tests.settings_base import *  # noqa: F403

INSTALLED_APPS = [
    "tests.backend_app.apps.MongoContentTypesConfig",
    "tests.backend_app.apps.MongoAuthConfig",
    "djongo_services",
    "tests.backend_app",
    "tests.schema.apps.mapping",
    "tests.schema.apps.target",
    "tests.commands.library",
]
DATABASES = {
    "default": {
        "ENGINE": "django_mongodb_backend",
        "HOST": MONGODB_URI,  # noqa: F405
        "NAME": MONGODB_NAME,  # noqa: F405
    },
    "sql": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
# The models as they are: the backend has no use for the SQL migrations of Django's own apps.
MIGRATION_MODULES = {"contenttypes": None, "auth": None}
