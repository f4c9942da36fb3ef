"""A project whose engine is not installed; its apps need none of it."""

SECRET_KEY = "tests"
INSTALLED_APPS = ["djongo_services"]
DATABASES = {"default": {"ENGINE": "django_mongodb_backend", "NAME": "x"}}
