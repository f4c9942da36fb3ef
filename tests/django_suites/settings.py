"""The settings for Django's ``runtests.py``; the environment names the engine and the server."""

import os

from tests.django_suites import adapting

ENGINE = os.environ["DJANGO_SUITES_ENGINE"]
DATABASES = {
    alias: {
        "ENGINE": ENGINE,
        "HOST": os.environ["DJANGO_SUITES_URI"],
        "NAME": f"django_suites_{alias}",
    }
    for alias in ("default", "other")
}
DEFAULT_AUTO_FIELD = adapting.KEY
SECRET_KEY = "django_tests_secret_key"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
TEST_RUNNER = "tests.django_suites.recording.Runner"

adapting.apply()
