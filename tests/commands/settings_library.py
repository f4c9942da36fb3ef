"""Project kind B that keeps the documents of the models in ``library``."""

from tests.commands.settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "tests.commands.library"]  # noqa: F405
DJONGO_SERVICES = {**DJONGO_SERVICES, "SCHEMA": {"MODELS": ["library"]}}  # noqa: F405
