"""Uploads that become files of a storage."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.http import HttpResponse
from django.test.utils import isolate_apps
from PIL import Image

from djongo_services.storage import GridFSStorage
from djongo_services.storage.uploads import GridFSUploadedFile, GridFSUploadHandler
from tests.storage.uploads.conftest import HANDLER, NOTHING, Site, calling, site_on

BIG = os.urandom(5 * 1024 * 1024 + 17)


def saved(site: Site, name: str = "a.png") -> bytes:
    with site.storage.open(name) as file:
        content: bytes = file.read()
    return content


def saving(storage: Any, name: str = "a.png") -> Any:
    return calling(lambda request: storage.save(name, request.FILES["file"]) and None)


def test_the_files_document_is_all_that_saving_writes(site: Site) -> None:
    seen: dict[str, Any] = {}

    def work(request: Any) -> None:
        uploaded = request.FILES["file"]
        seen["before"] = site.counts
        seen["chunks"] = site.database["fs.chunks"].distinct("_id")
        assert site.storage.save("photos/a.png", uploaded) == "photos/a.png"

    site.serve(calling(work))
    assert site.post(("mine.png", BIG)).content == b"done"
    assert seen["before"] == {"files": 0, "chunks": 21, "uploads": 1}
    assert site.counts == {"files": 1, "chunks": 21, "uploads": 0}
    assert site.database["fs.chunks"].distinct("_id") == seen["chunks"]
    assert saved(site, "photos/a.png") == BIG
    stored = site.storage.stored("photos/a.png")
    assert (stored.content_type, stored.length) == ("image/png", len(BIG))
    assert stored.sha256 == hashlib.sha256(BIG).hexdigest()


def test_under_wsgi_and_asgi(each_site: Site) -> None:
    each_site.serve(saving(each_site.storage))
    assert each_site.post(("a.png", b"x" * 3_000_000)).content == b"done"
    assert each_site.counts == {"files": 1, "chunks": 12, "uploads": 0}
    assert saved(each_site) == b"x" * 3_000_000


def test_in_an_async_view(each_site: Site) -> None:
    async def view(request: Any) -> Any:
        name = await each_site.storage.asave("a.png", request.FILES["file"])
        return HttpResponse(name)

    each_site.serve(view)
    assert each_site.post(("a.png", b"abc")).content == b"a.png"
    assert each_site.counts == {"files": 1, "chunks": 1, "uploads": 0}
    assert saved(each_site) == b"abc"


def test_on_every_server_version(
    settings: Any, matrix_database: Any, matrix_connected: Any
) -> None:
    site = site_on(settings, matrix_database, "sync")
    site.serve(saving(site.storage))
    assert site.post(("a.png", BIG)).content == b"done"
    assert site.counts == {"files": 1, "chunks": 21, "uploads": 0}
    assert saved(site) == BIG


def test_an_empty_file(site: Site) -> None:
    site.serve(saving(site.storage))
    assert site.post(("a.png", b"")).content == b"done"
    assert site.counts == {"files": 1, "chunks": 0, "uploads": 0}
    assert saved(site) == b""


def test_several_files_and_fields(site: Site) -> None:
    def work(request: Any) -> None:
        assert request.POST["title"] == "two"
        for uploaded in request.FILES.getlist("file"):
            site.storage.save(uploaded.name, uploaded)

    site.serve(calling(work))
    files = [_named("a.png", b"first"), _named("b.png", BIG)]
    assert site.post_form({"title": "two", "file": files}).content == b"done"
    assert (saved(site, "a.png"), saved(site, "b.png")) == (b"first", BIG)
    assert site.count("uploads") == 0


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "gzip"},
        {"encryption": True},
        {"compression": "gzip", "encryption": True},
        {"chunk_size": 1000},
        {"allow_overwrite": True},
        {"allow_overwrite": True, "keep_revisions": True},
        {"deduplicate": True},
        {"content_type": "content"},
        {"content_type": "declared"},
        {"location": "media/x"},
        {"write_concern": 1},
    ],
    ids=str,
)
def test_a_promoted_file_is_what_a_saved_one_would_be(site: Site, options: dict[str, Any]) -> None:
    site.settings.DJONGO_SERVICES = {
        **site.settings.DJONGO_SERVICES,
        "STORAGE": {"ENCRYPTION_KEYS": {"k": "A" * 43 + "="}},
    }
    storage = site.configure(**options)
    content = b"GIF89a" + b"compress me " * 100_000
    seen: dict[str, Any] = {}

    def work(request: Any) -> None:
        uploaded = request.FILES["file"]
        seen["chunks"] = site.database["fs.chunks"].distinct("_id")
        storage.save("a.png", uploaded)

    site.serve(calling(work))
    assert site.post(("a.png", content)).content == b"done"
    assert site.database["fs.chunks"].distinct("_id") == seen["chunks"]
    assert saved(site) == content
    promoted = storage.stored("a.png")

    storage.delete("a.png")
    storage.save("a.png", _named("a.png", content))
    plain = storage.stored("a.png")
    assert saved(site) == content
    assert _comparable(promoted.raw) == _comparable(plain.raw)
    assert site.count("uploads") == 0


def test_a_storage_that_stores_otherwise_gets_a_copy(site: Site, settings: Any) -> None:
    site.serve(
        calling(
            lambda request: (
                [
                    GridFSStorage(bucket=bucket, **options).save("a.png", request.FILES["file"])
                    and None
                    for bucket, options in (
                        ("other", {}),
                        ("fs", {"compression": "gzip", "location": "gzip"}),
                        ("fs", {"chunk_size": 5_000, "location": "small"}),
                    )
                ]
                and None
            )
        )
    )
    assert site.post(("a.png", BIG)).content == b"done"
    names = ["gzip/a.png", "small/a.png"]
    assert [each.filename for each in site.storage.bucket.find(sort={"filename": 1})] == names
    for storage in (
        GridFSStorage(bucket="other"),
        GridFSStorage(location="gzip"),
        GridFSStorage(location="small"),
    ):
        with storage.open("a.png") as file:
            assert file.read() == BIG
    assert GridFSStorage(location="small").stored("a.png").chunk_size == 5_000
    assert site.count("uploads") == 0
    held = {each["_id"] for each in site.database["fs.files"].find({}, {"_id": 1})}
    assert set(site.database["fs.chunks"].distinct("files_id")) == held


def test_a_storage_on_disk_gets_a_copy(site: Site, tmp_path: Any) -> None:
    site.serve(saving(FileSystemStorage(tmp_path), "a.bin"))
    assert site.post(("a.bin", BIG)).content == b"done"
    assert (tmp_path / "a.bin").read_bytes() == BIG
    assert site.counts == NOTHING


def test_saved_twice_it_is_two_files(site: Site) -> None:
    def work(request: Any) -> None:
        site.storage.save("a.png", request.FILES["file"])
        site.storage.save("b.png", request.FILES["file"])
        site.storage.delete("a.png")

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).content == b"done"
    assert not site.storage.exists("a.png")
    assert saved(site, "b.png") == BIG
    assert site.counts == {"files": 1, "chunks": 21, "uploads": 0}


def test_a_taken_name_gives_another_one(site: Site) -> None:
    site.storage.save("a.png", _named("a.png", b"mine"))
    names: list[str] = []
    site.serve(
        calling(lambda request: names.append(site.storage.save("a.png", request.FILES["file"])))
    )
    site.post(("a.png", b"yours"))
    assert names[0] != "a.png"
    assert (saved(site), saved(site, names[0])) == (b"mine", b"yours")


def test_a_name_that_is_taken_at_the_last_moment(site: Site, monkeypatch: Any) -> None:
    storage = site.storage
    names: list[str] = []

    def work(request: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(
                GridFSStorage, "get_available_name", lambda self, name, max_length=0: name
            )
            storage.save("a.png", _named("a.png", b"the faster one"))
            patch.undo()
            names.append(storage._save("a.png", request.FILES["file"]))

    site.serve(calling(work))
    assert site.post(("a.png", b"the slower one")).content == b"done"
    assert names[0] != "a.png"
    assert (saved(site), saved(site, names[0])) == (b"the faster one", b"the slower one")
    assert site.counts == {"files": 2, "chunks": 2, "uploads": 0}


def test_names_are_kept_apart_though_the_uploads_storage_would_not(site: Site) -> None:
    site.configure(allow_overwrite=True)
    keeping_apart = GridFSStorage()
    site.serve(saving(keeping_apart))
    site.post(("a.png", b"abc"))
    exclusive = [each for each in site.database["fs.files"].list_indexes() if each.get("unique")]
    assert [dict(each["key"]) for each in exclusive] == [
        {"filename": 1},
        {"metadata.aliases.name": 1},
    ]


def test_overwriting_replaces_what_was_there(site: Site) -> None:
    storage = site.configure(allow_overwrite=True)
    storage.save("a.png", _named("a.png", b"old"))
    site.serve(saving(storage))
    site.post(("a.png", b"new"))
    assert saved(site) == b"new"
    assert site.counts == {"files": 1, "chunks": 1, "uploads": 0}


def test_equal_content_is_kept_once(site: Site) -> None:
    storage = site.configure(deduplicate=True)
    storage.save("first.png", _named("a.png", BIG))
    site.serve(saving(storage))
    assert site.post(("a.png", BIG)).content == b"done"
    assert site.counts == {"files": 1, "chunks": 21, "uploads": 0}
    assert storage.stored("a.png").id == storage.stored("first.png").id
    assert saved(site) == BIG


def test_by_a_model_field(site: Site) -> None:
    with isolate_apps("tests.backend_app"):

        class Photo(models.Model):
            image = models.ImageField(upload_to="photos", storage=site.storage, width_field="width")
            width = models.IntegerField()

            class Meta:
                app_label = "backend_app"

    seen: dict[str, Any] = {}

    def work(request: Any) -> None:
        photo = Photo(image=request.FILES["file"])
        seen["chunks"] = site.database["fs.chunks"].distinct("_id")
        seen["name"] = Photo._meta.get_field("image").pre_save(photo, add=True).name
        seen["width"] = photo.width

    site.serve(calling(work))
    assert site.post(("a.png", _png(30))).content == b"done"
    assert (seen["name"], seen["width"]) == ("photos/a.png", 30)
    assert site.database["fs.chunks"].distinct("_id") == seen["chunks"]
    assert saved(site, "photos/a.png") == _png(30)


def test_behind_djangos_own_handler_small_requests_stay_in_memory(site: Site) -> None:
    site.settings.FILE_UPLOAD_HANDLERS = [
        "django.core.files.uploadhandler.MemoryFileUploadHandler",
        HANDLER,
        "django.core.files.uploadhandler.TemporaryFileUploadHandler",
    ]
    kinds: list[str] = []
    site.serve(calling(lambda request: kinds.append(type(request.FILES["file"]).__name__)))
    site.post(("a.png", b"abc"))
    site.post(("a.png", BIG))
    assert kinds == ["InMemoryUploadedFile", "GridFSUploadedFile"]
    assert site.counts == NOTHING


def test_chosen_for_one_view(site: Site) -> None:
    site.settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
    scans = GridFSStorage(bucket="scans")

    def work(request: Any) -> None:
        request.upload_handlers = [GridFSUploadHandler(request, storage=scans)]
        assert isinstance(request.FILES["file"], GridFSUploadedFile)
        assert site.count("uploads", "scans") == 1
        scans.save("a.png", request.FILES["file"])

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).content == b"done"
    assert site.counts == NOTHING
    assert (site.count("files", "scans"), site.count("uploads", "scans")) == (1, 0)


def test_a_storage_without_a_bucket_is_refused(site: Site) -> None:
    disk = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    site.settings.STORAGES = {**site.settings.STORAGES, "disk": disk}
    site.limit(STORAGE="disk")
    with pytest.raises(ImproperlyConfigured) as refusal:
        GridFSUploadHandler()
    assert str(refusal.value) == (
        "STORAGES['disk'] is of FileSystemStorage, which has no bucket for uploads; name a "
        'djongo_services.storage.GridFSStorage in DJONGO_SERVICES["STORAGE"]["UPLOADS"]["STORAGE"].'
    )


def _named(name: str, content: bytes) -> Any:
    return SimpleUploadedFile(name, content, "image/png")


def _comparable(document: Any) -> Any:
    """Without what differs between two files of equal content."""
    metadata = {**document["metadata"], "sha256": "", "aliases": "", "codecs": ""}
    names = [each["name"] for each in document["metadata"].get("codecs", ())]
    same = {**document, "_id": "", "uploadDate": "", "metadata": metadata}
    return {**same, "length": document["length"] if "gzip" not in names else 0}, names


def _png(width: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, 20)).save(file, "PNG")
    return file.getvalue()
