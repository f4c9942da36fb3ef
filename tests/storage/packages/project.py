"""A project of kind B whose files are in a bucket, with one package, for separate processes."""

import os

from tests.settings_sql import *  # noqa: F403

PACKAGE = os.environ["PACKAGES_PACKAGE"]
APPS = {
    "easy_thumbnails": ["easy_thumbnails"],
    "sorl": ["sorl.thumbnail"],
    "imagekit": ["imagekit", "tests.storage.packages.specs"],
    "filer": ["easy_thumbnails", "filer"],
    "import_export": ["import_export"],
    "wagtail": [
        "wagtail.images",
        "wagtail.search",
        "wagtail.admin",
        "wagtail.users",
        "wagtail",
        "modelcluster",
        "taggit",
        "treebeard",
    ],
}
INSTALLED_APPS = [
    *INSTALLED_APPS,  # noqa: F405
    "django.contrib.sessions",
    "tests.storage.packages.pictures",
    *APPS[PACKAGE],
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["PACKAGES_SQLITE"],
    }
}
DJONGO_SERVICES = {
    "CONNECTIONS": {
        "default": {
            "HOST": MONGODB_URI,  # noqa: F405
            "NAME": os.environ["PACKAGES_DATABASE"],
        }
    },
}
STORAGES = {
    "default": {
        "BACKEND": "djongo_services.storage.GridFSStorage",
        "OPTIONS": {"bucket": "media", "location": "site"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MEDIA_URL = "/media/"
STATIC_URL = "/static/"
_OURS = "djongo_services.storage.GridFSStorage"
FILER_STORAGES = {
    kind: {
        "main": {
            "ENGINE": _OURS,
            "OPTIONS": {"bucket": "media", "location": f"filer/{kind}"},
            "UPLOAD_TO": "filer.utils.generate_filename.randomized",
            "UPLOAD_TO_PREFIX": "",
        },
        "thumbnails": {
            "ENGINE": _OURS,
            "OPTIONS": {"bucket": "media", "location": f"filer/{kind}_thumbnails"},
            "THUMBNAIL_OPTIONS": {"base_dir": ""},
        },
    }
    for kind in ("public", "private")
}
FILER_ENABLE_PERMISSIONS = True
THUMBNAIL_DEBUG = True
WAGTAIL_SITE_NAME = "tests"
WAGTAILADMIN_BASE_URL = "http://testserver"
