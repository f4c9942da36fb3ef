"""The same without accounts: what ``migrate`` does with permissions takes joins, which the backend
asks for in a form that MongoDB 4.4 does not know.

``pytest --ds tests.engine.settings_bare --mongodb-version 4.4 tests/engine/migrating``
"""

from tests.engine.settings import *  # noqa: F403

INSTALLED_APPS = ["djongo_services", "tests.engine.shop"]
