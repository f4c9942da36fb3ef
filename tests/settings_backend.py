"""Project kind A: the ORM's default database is MongoDB (django-mongodb-backend)."""

from tests.settings_base import *  # noqa: F403

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "djongo_services",
    "tests.backend_app",
]
DATABASES = {
    "default": {
        "ENGINE": "django_mongodb_backend",
        "HOST": MONGODB_URI,  # noqa: F405
        "NAME": MONGODB_NAME,  # noqa: F405
    }
}
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
SILENCED_SYSTEM_CHECKS = ["mongodb.E001"]
