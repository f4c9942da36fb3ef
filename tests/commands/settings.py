"""Project kind B on the database that the environment names."""

import os

from tests.settings_sql import *  # noqa: F403

DJONGO_SERVICES = {
    "CONNECTIONS": {
        "default": {
            "HOST": MONGODB_URI,  # noqa: F405
            "NAME": os.environ["COMMANDS_TEST_DATABASE"],
        }
    }
}
