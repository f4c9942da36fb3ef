"""What both kinds of project share in the tests.

The server is the embedded one that ``tests/conftest.py`` starts before Django is set up.
"""

import os

SECRET_KEY = "tests"
USE_TZ = True
ROOT_URLCONF = "tests.urls"
ALLOWED_HOSTS = ["testserver"]
MONGODB_URI = os.environ.get("DJONGO_SERVICES_TEST_URI", "mongodb://127.0.0.1:27017/")
MONGODB_NAME = "djongo_services_tests"
