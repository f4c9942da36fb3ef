"""Settings that suit the stock backend, so that both engines run the same project."""

import os

SECRET_KEY = "benchmark"
USE_TZ = True
INSTALLED_APPS = [
    "benchmarks.engine_shop.apps.MongoAdminConfig",
    "benchmarks.engine_shop.apps.MongoAuthConfig",
    "benchmarks.engine_shop.apps.MongoContentTypesConfig",
    "django.contrib.sessions",
    "django.contrib.messages",
    "benchmarks.engine_shop",
]
DATABASES = {
    "default": {
        "ENGINE": os.environ["BENCHMARK_ENGINE"],
        "HOST": os.environ["BENCHMARK_URI"],
        "NAME": f"benchmark_{os.environ['BENCHMARK_ENGINE'].replace('.', '_')}",
    }
}
DEFAULT_AUTO_FIELD = "django_mongodb_backend.fields.ObjectIdAutoField"
MIGRATION_MODULES = {"admin": None, "auth": None, "contenttypes": None, "sessions": None}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# No page is served.
SILENCED_SYSTEM_CHECKS = ["admin.E403", "admin.E408", "admin.E409", "admin.E410"]
