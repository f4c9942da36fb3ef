"""A project of kind B without models that have files."""

import os

from tests.settings_sql import *  # noqa: F403

DJONGO_SERVICES = {
    "CONNECTIONS": {
        "default": {
            "HOST": MONGODB_URI,  # noqa: F405
            "NAME": os.environ["COLLECTOR_DATABASE"],
        }
    },
    "STORAGE": {"REFERENCES": os.environ.get("COLLECTOR_REFERENCES", "").split()},
}
