"""The site that the benchmark of serving requests, loaded by gunicorn and by uvicorn.

``application`` is this package's view (and PyMongo's, for comparison) under WSGI, ``asgi`` the same
under ASGI, and ``whitenoise`` the same with copies of the files on disk in front of it.
"""

from __future__ import annotations

import os
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, HttpRequest
from django.urls import include, path

settings.configure(
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="benchmark",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["djongo_services"],
    DATABASES={},
    DJONGO_SERVICES={
        "CONNECTIONS": {
            "default": {"HOST": os.environ["SERVED_URI"], "NAME": os.environ["SERVED_DATABASE"]}
        }
    },
    STORAGES={"default": {"BACKEND": "djongo_services.storage.GridFSStorage"}},
)
django.setup()


def by_pymongo(_: HttpRequest, name: str) -> FileResponse:
    """A view as projects write it by hand."""
    from gridfs import GridFSBucket

    from djongo_services.connections import connections

    found = GridFSBucket(connections["default"].database).open_download_stream_by_name(name)
    return FileResponse(found)


urlpatterns = [
    path("media/", include("djongo_services.storage.serving.urls")),
    path("pymongo/<path:name>", by_pymongo),
]
application = WSGIHandler()
asgi = ASGIHandler()


def __getattr__(name: str) -> Any:
    if name != "whitenoise":
        raise AttributeError(name)
    from whitenoise import WhiteNoise  # where the benchmark put it

    return WhiteNoise(application, root=os.environ["SERVED_FOLDER"], prefix="disk/")
