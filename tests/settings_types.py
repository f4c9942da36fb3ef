"""The settings for the type checker: the models of all test projects, in one project.

The plugin of django-stubs knows managers and related objects of installed models only. No test
runs with these settings.
"""

from django.apps import AppConfig

SECRET_KEY = "tests"
USE_TZ = True


# Several projects call their app "shop" or "shelf"; in one project each has a label of its own.


class EngineShop(AppConfig):
    name = "tests.engine.shop"
    label = "engine_shop"


class CollectorShop(AppConfig):
    name = "tests.storage.collector.shop"
    label = "collector_shop"


class CollectorShelf(AppConfig):
    name = "tests.storage.collector.shelf"
    label = "collector_shelf"


INSTALLED_APPS = [
    *(f"django.contrib.{app}" for app in ("admin", "auth", "contenttypes", "flatpages")),
    *(f"django.contrib.{app}" for app in ("messages", "redirects", "sessions", "sites")),
    *("polymorphic", "reversion", "simple_history", "taggit", "treebeard"),
    "djongo_services",
    "demo_project.archive",
    "tests.admin.files.gallery",
    "tests.admin.shelf",
    "tests.backend_app",
    "tests.commands.library",
    "tests.packages.shop",
    "tests.schema.apps.mapping",
    "tests.schema.apps.target",
    "tests.settings_types.CollectorShelf",
    "tests.settings_types.CollectorShop",
    "tests.settings_types.EngineShop",
    "tests.soak.moving",
    "tests.soak.town",
    "tests.storage.collector.chronicle",
    "tests.storage.collector.unsure",
    "tests.storage.following.papers",
    "tests.storage.packages.specs",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
