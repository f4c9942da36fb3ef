from demo_project.settings import *  # noqa: F403
from demo_project.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "tests.engine.round_trip.apps.MongoSitesConfig",
    "tests.engine.round_trip.apps.MongoFlatPagesConfig",
    "tests.engine.round_trip.apps.MongoRedirectsConfig",
]
DATABASES = {
    **DATABASES,
    "copy": {**DATABASES["default"], "NAME": f"{DATABASES['default']['NAME']}_copy"},
}
# Rules of forms are not among what a table says.
DJONGO_SERVICES = {"SCHEMA": {"RULES": "database"}}  # one for all apps
