"""A site whose connection ``archive`` has the bucket ``media``, with a gallery of pictures."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import Int64, ObjectId
from django.conf import settings
from django.contrib.admin.utils import quote
from django.test import override_settings
from PIL import Image

from djongo_services.storage.bucket import Bucket, StoredFile
from tests.admin.conftest import Page, Site, _page
from tests.mongodb_orm import connections as databases

# Whatever is in the admin's package registers with its site, which is there with the app alone.
with override_settings(
    INSTALLED_APPS=["tests.admin.apps.MongoAdminConfig", *settings.INSTALLED_APPS]
):
    import djongo_services.admin  # noqa: F401

LONG_AGO = dt.datetime(2024, 1, 15, 12, tzinfo=dt.UTC)


class Files:
    """The pages about the files of one bucket."""

    def __init__(self, site: Site, bucket: str = "media") -> None:
        self.site = site
        self.name = bucket
        self.bucket = Bucket(site.database, bucket)

    def add(self, name: str | None, content: bytes = b"content", kind: str = "") -> StoredFile:
        return self.bucket.upload(name, content, content_type=kind)

    def add_old(self, name: str, content: bytes = b"content", kind: str = "text/plain") -> Any:
        """Stored so long ago that the collector does not hold it for new; its id."""
        at = ObjectId.from_datetime(LONG_AGO)
        id = ObjectId(at.binary[:4] + ObjectId().binary[4:])
        self.chunks.insert_one({"_id": id, "files_id": id, "n": 0, "data": content})
        self.documents.insert_one(
            {
                "_id": id,
                "length": Int64(len(content)),
                "chunkSize": 255 * 1024,
                "uploadDate": LONG_AGO,
                "filename": name,
                "metadata": {"contentType": kind},
            }
        )
        return id

    @property
    def documents(self) -> Any:
        return self.site.database[f"{self.name}.files"]

    @property
    def chunks(self) -> Any:
        return self.site.database[f"{self.name}.chunks"]

    @property
    def trash(self) -> Any:
        return self.site.database[f"{self.name}.trash"]

    def url(self, page: str = "bucket", **query: str) -> str:
        from urllib.parse import urlencode

        from djongo_services.admin.files.address import BucketAddress

        key = BucketAddress(alias="archive", bucket=self.name).key
        url = self.site.url(f"file_{page}", quote(key))
        return f"{url}?{urlencode(query)}" if query else url

    def file_url(self, id: Any, page: str = "change") -> str:
        from djongo_services.admin.files.address import BucketAddress

        address = BucketAddress(alias="archive", bucket=self.name).file(id)
        assert address is not None
        return self.site.url(f"file_{page}", quote(address.key))

    def get(self, page: str = "bucket", **query: str) -> Page:
        return self.site.get(self.url(page), **query)

    def file(self, id: Any, page: str = "change", **query: str) -> Page:
        return self.site.get(self.file_url(id, page), **query)

    def post(self, url: str, follow: bool = True, **data: Any) -> Page:
        return _page(self.site.client.post(url, data, follow=follow))

    def names(self) -> set[str]:
        return {each["filename"] for each in self.documents.find({})}


@pytest.fixture
def project(project: Any) -> Iterator[Any]:
    only_mongodb = "tests.admin.files.gallery.router.OnMongoDB"
    project.DATABASE_ROUTERS = [only_mongodb, *project.DATABASE_ROUTERS]
    ours = "djongo_services.storage.GridFSStorage"
    orm = databases["default"]
    orm.ensure_connection()
    if "gallery_picture" not in orm.database.list_collection_names():
        orm.database.create_collection("gallery_picture")
    project.STORAGES = {
        "default": {"BACKEND": ours, "OPTIONS": {"bucket": "media", "using": "archive"}},
        "kept": {
            "BACKEND": ours,
            "OPTIONS": {"bucket": "kept", "using": "archive", "keep_revisions": True},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    # The collector reads every database, and these tests may not read this one. It is back before
    # Django's own fixture ends, which goes over all of them, too.
    sql = databases.settings.pop("sql")
    yield project
    databases.settings["sql"] = sql


@pytest.fixture
def files(root: Site) -> Files:
    """A superuser's."""
    return Files(root)


@pytest.fixture
def new_picture(files: Files) -> Callable[..., Any]:
    """``new_picture("title", "a.png")``: an object whose file has that name in ``pictures/``."""

    def make(title: str, name: str) -> Any:
        from tests.admin.files.gallery.models import Picture

        return Picture.objects.create(title=title, image=name)

    return make


def png(width: int = 4, height: int = 3) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(data, "PNG")
    return data.getvalue()
