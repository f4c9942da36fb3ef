"""Project kind A whose ORM is on the engine of this package.

``pytest --ds tests.engine.settings tests/engine`` runs the tests of this folder.
"""

from tests.settings_base import *  # noqa: F403

INSTALLED_APPS = [
    "tests.backend_app.apps.MongoContentTypesConfig",
    "tests.backend_app.apps.MongoAuthConfig",
    "djongo_services",
    "tests.engine.shop",
]
DATABASES = {
    alias: {
        "ENGINE": "djongo_services.backend",
        "HOST": MONGODB_URI,  # noqa: F405
        "NAME": f"engine_{alias}",
    }
    for alias in ("default", "other")
}
DATABASE_ROUTERS = ["django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
MIGRATION_MODULES = {"contenttypes": None, "auth": None}
