"""Settings that both kinds of demo project share."""

from demo_project.environment import secret_key

SECRET_KEY = secret_key()
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
STATIC_URL = "static/"
MEDIA_URL = "media/"

# Files are in MongoDB, too: a file appears together with the document that points to it.
STORAGES = {
    "default": {
        "BACKEND": "djongo_services.storage.GridFSStorage",
        "OPTIONS": {"bucket": "media", "content_type": "content"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_HANDLERS = [
    "djongo_services.storage.uploads.GridFSUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "djongo_services.middleware.MongoTransactionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# A missing server is reported after two seconds instead of PyMongo's thirty.
MONGODB_OPTIONS = {"serverSelectionTimeoutMS": 2000}

# django-extensions: `manage.py shell_plus` starts with the models, the factories and PyMongo.
SHELL_PLUS_PRINT_SQL = False
SHELL_PLUS_IMPORTS = [
    "from bson import ObjectId",
    "from djongo_services.connections import connections as mongodb",
]
