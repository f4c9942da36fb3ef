"""How storages are made, from settings and migrations, and that making one sends nothing."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import InvalidStorageError, default_storage, storages
from django.db import models
from django.db.migrations.writer import MigrationWriter
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from tests.storage.bucket.conftest import Commands
from tests.transaction.conftest import entry, uri_of


class TestWrongOptions:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"chunksize": 5}, r"has no option 'chunksize'; its options are bucket, location"),
            (
                {"chunk_size": 0},
                r"chunk_size of a GridFSStorage must be a number of bytes from 1 to 16",
            ),
            ({"chunk_size": "5"}, r"chunk_size .* not '5'"),
            ({"chunk_size": True}, r"chunk_size .* not True"),
            ({"chunk_size": 16 * 1024 * 1024}, r"chunk_size .* from 1 to 16,776,192, not 16777216"),
            (
                {"allow_overwrite": "no"},
                r"allow_overwrite of a GridFSStorage must be True or False",
            ),
            (
                {"keep_revisions": 1},
                r"keep_revisions of a GridFSStorage must be True or False, not 1",
            ),
            ({"deduplicate": None}, r"deduplicate of a GridFSStorage must be True or False"),
            ({"private": "yes"}, r"private of a GridFSStorage must be True or False"),
            (
                {"content_type": "magic"},
                r"must be name, declared, content or the dotted path of a func",
            ),
            ({"content_type": None}, r"content_type of a GridFSStorage must be"),
            (
                {"read_preference": "any"},
                r"must be one of primary, primaryPreferred, secondary, second",
            ),
            ({"read_preference": 5}, r"read_preference .* not 5"),
            ({"write_concern": 0}, r"write_concern of a GridFSStorage must be acknowledged"),
            ({"write_concern": {"w": 0}}, r"write_concern of a GridFSStorage must be acknowledged"),
            ({"write_concern": {"x": 1}}, r"write_concern of a GridFSStorage must be acknowledged"),
            ({"write_concern": -1}, r"write_concern of a GridFSStorage must be acknowledged"),
            ({"write_concern": [1]}, r"write_concern of a GridFSStorage must be acknowledged"),
            (
                {"compression": True},
                r"compression of a GridFSStorage must be a codec's name, not True",
            ),
            (
                {"encryption": 5},
                r"encryption of a GridFSStorage must be True or a codec's name, not 5",
            ),
            (
                {"cache_control": None},
                r"cache_control of a GridFSStorage must be the value of a header",
            ),
            (
                {"url_expires": 0},
                r"url_expires of a GridFSStorage must be a number of seconds above 0",
            ),
            (
                {"permission": 5},
                r"permission of a GridFSStorage must be a function or its dotted path",
            ),
            (
                {"inline_types": "image/png"},
                r"inline_types of a GridFSStorage must be a list of content",
            ),
            ({"bucket": ""}, r"cannot have the bucket '': MongoDB does not allow collections"),
            ({"bucket": "a$b"}, r"cannot have the bucket 'a\$b'"),
            ({"bucket": "a..b"}, r"cannot have the bucket 'a\.\.b'"),
            ({"bucket": "system.users"}, r"cannot have the bucket 'system.users'"),
            ({"bucket": 5}, r"cannot have the bucket 5"),
            (
                {"deduplicate": True, "allow_overwrite": True},
                r"can neither allow_overwrite nor keep_revisions; choose one",
            ),
            ({"deduplicate": True, "keep_revisions": True}, r"neither allow_overwrite nor keep_r"),
            (
                {"deduplicate": True, "encryption": True},
                r"stores equal content differently each time",
            ),
        ],
        ids=str,
    )
    def test_are_refused(self, options: dict[str, Any], sentence: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=sentence):
            GridFSStorage(**options)

    def test_in_settings(self, settings: Any) -> None:
        settings.STORAGES = {
            "default": {
                "BACKEND": "djongo_services.storage.GridFSStorage",
                "OPTIONS": {"chunksize": 5},
            }
        }
        with pytest.raises(ImproperlyConfigured, match="has no option 'chunksize'"):
            storages["default"]

    def test_a_connection_that_there_is_not(self, connected: Database[Any]) -> None:
        storage = GridFSStorage(using="nowhere")
        with pytest.raises(Exception, match="nowhere"):
            storage.exists("a.txt")

    def test_a_codec_that_there_is_not(self, storage: GridFSStorage) -> None:
        from djongo_services.storage import StorageError

        with pytest.raises(StorageError, match="There is no codec 'lz4'; known are aes-gcm, gzip"):
            GridFSStorage(compression="lz4").save("a.txt", ContentFile(b"content"))


def test_right_options() -> None:
    for options in (
        {"read_preference": "SECONDARYPREFERRED"},
        {"write_concern": "majority"},
        {"write_concern": 2},
        {"write_concern": {"w": "majority", "j": True, "wtimeout": 5}},
        {"content_type": "declared"},
        {"content_type": "project.types.guess"},
        {"permission": "project.permissions.may_read"},
        {"inline_types": ("image/png",)},
        {"encryption": "aes-gcm", "compression": "zstd"},
    ):
        GridFSStorage(**options)


def test_concerns_reach_the_server(settings: Any, database: Database[Any]) -> None:
    commands = Commands()
    settings.DJONGO_SERVICES = {
        "CONNECTIONS": {"default": entry(database, event_listeners=[commands])}
    }
    storage = GridFSStorage(
        write_concern={"w": "majority", "wtimeout": 60_000}, read_preference="secondaryPreferred"
    )
    storage.save("a.txt", ContentFile(b"content"))
    commands.sent.clear()
    storage.save("b.txt", ContentFile(b"content"))
    assert storage.open("b.txt").read() == b"content"
    storage.delete("b.txt")
    wanted = {"w": "majority", "wtimeout": 60_000}
    (chunks, files) = commands.named("insert")
    assert (chunks["writeConcern"], files["writeConcern"]) == ({"w": 1}, wanted)
    assert commands.named("delete")[0]["writeConcern"] == wanted
    assert {each["$readPreference"]["mode"] for each in commands.named("find")} == {
        "secondaryPreferred"
    }
    connections.close_all()


class TestInSettings:
    @pytest.fixture
    def as_default(self, settings: Any, connected: Database[Any]) -> Any:
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {
                "BACKEND": "djongo_services.storage.GridFSStorage",
                "OPTIONS": {"bucket": "media", "location": "files", "base_url": "/m/"},
            },
        }
        return settings

    def test_as_the_default_storage(self, as_default: Any, connected: Database[Any]) -> None:
        name = default_storage.save("a.txt", ContentFile(b"content"))
        assert default_storage.open(name).read() == b"content"
        assert default_storage.url(name) == "/m/a.txt"
        assert connected.media.files.find_one({"filename": "files/a.txt"})

    def test_changed_settings_are_followed(self, as_default: Any, connected: Database[Any]) -> None:
        storage = storages["default"]
        storage.save("a.txt", ContentFile(b"content"))
        host, port = connected.client.address or ("", 0)
        as_default.DJONGO_SERVICES = {
            "CONNECTIONS": {
                "default": {"HOST": f"mongodb://{host}:{port}/", "NAME": f"{connected.name}_2"}
            }
        }
        try:
            assert not storage.exists("a.txt")
            storage.save("b.txt", ContentFile(b"content"))
            assert connections["default"].database.media.files.count_documents({}) == 1
        finally:
            connections["default"].client.drop_database(f"{connected.name}_2")


class TestLaziness:
    def test_making_one_sends_nothing(self, settings: Any, database: Database[Any]) -> None:
        commands = Commands()
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {"default": entry(database, event_listeners=[commands])}
        }
        storage = GridFSStorage(compression="gzip")
        assert storage.url("a.txt")
        assert repr(storage) == "<GridFSStorage 'fs' on 'default'>"
        pickle.dumps(storage)
        assert commands.sent == []
        assert storage.bucket.name == "fs"
        assert commands.sent == []
        connections.close_all()

    def test_no_server_is_needed_to_start(self) -> None:
        code = (
            "import django; from django.conf import settings;"
            "settings.configure(INSTALLED_APPS=['djongo_services'], DJONGO_SERVICES={'CONNECTIONS':"
            " {'default': {'HOST': 'mongodb://127.0.0.1:1/', 'NAME': 'x'}}}, STORAGES={'default':"
            " {'BACKEND': 'djongo_services.storage.GridFSStorage'}});"
            "django.setup(); from django.core.files.storage import default_storage;"
            "print(default_storage.url('a'), default_storage.bucket.name)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "/a fs\n"), done.stderr


class TestPickle:
    def test_comes_back_as_it_was(self, connected: Database[Any]) -> None:
        storage: Any = GridFSStorage(bucket="b", location="l", allow_overwrite=True, chunk_size=5)
        storage.save("a.txt", ContentFile(b"content"))
        again = pickle.loads(pickle.dumps(storage))
        assert again.open("a.txt").read() == b"content"
        assert (again.bucket_name, again.location, again.options) == ("b", "l", storage.options)
        assert again.deconstruct() == storage.deconstruct()

    def test_in_another_process(self, storage: GridFSStorage, connected: Database[Any]) -> None:
        storage.save("a.txt", ContentFile(b"content"))
        code = (
            "import sys, pickle, django; from django.conf import settings;"
            "settings.configure(DJONGO_SERVICES={'CONNECTIONS': {'default':"
            " {'HOST': sys.argv[1], 'NAME': sys.argv[2]}}});"
            "django.setup();"
            "print(pickle.loads(bytes.fromhex(sys.argv[3])).open('a.txt').read())"
        )
        command = [uri_of(connected), connected.name, pickle.dumps(storage).hex()]
        done = subprocess.run(
            [sys.executable, "-c", code, *command], capture_output=True, text=True, check=False
        )
        assert done.stdout == "b'content'\n", done.stderr


class TestMigrations:
    def test_is_written_as_it_was_made(self) -> None:
        storage: Any = GridFSStorage("media", location="l", write_concern={"w": 2}, private=True)
        written, imports = MigrationWriter.serialize(storage)
        assert imports == {"import djongo_services.storage"}
        space: dict[str, Any] = {}
        exec("import djongo_services.storage", space)
        again = eval(written, space)
        assert again.deconstruct() == storage.deconstruct()
        assert again.deconstruct()[0] == "djongo_services.storage.GridFSStorage"

    def test_a_field_is(self) -> None:
        field = models.FileField(storage=GridFSStorage("media"), upload_to="u")
        _, _, _, options = field.deconstruct()
        written, _ = MigrationWriter.serialize(options["storage"])
        assert written == "djongo_services.storage.GridFSStorage('media')"

    def test_a_subclass_has_its_own_path(self) -> None:
        storage: Any = Subclass("media")
        assert storage.deconstruct() == (f"{__name__}.Subclass", ("media",), {})


class Subclass(GridFSStorage):
    pass


def test_an_unknown_backend_is_djangos_matter(settings: Any) -> None:
    settings.STORAGES = {"default": {"BACKEND": "djongo_services.storage.Nothing"}}
    with pytest.raises(InvalidStorageError):
        storages["default"]


class TestContentTypes:
    CASES = [
        ("a.png", "image/png"),
        ("a.PNG", "image/png"),
        ("a.tar.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("a.html", "text/html"),
    ]

    def test_by_name(self, storage: GridFSStorage) -> None:
        for name, expected in self.CASES:
            assert storage.stored(storage.save(name, ContentFile(b"x"))).content_type == expected

    def test_as_declared(self, connected: Database[Any]) -> None:
        from django.core.files.uploadedfile import SimpleUploadedFile

        storage = GridFSStorage(content_type="declared")
        name = storage.save("a.png", SimpleUploadedFile("a.png", b"x", "application/x-thing"))
        assert storage.stored(name).content_type == "application/x-thing"
        name = storage.save("b.png", ContentFile(b"x"))
        assert storage.stored(name).content_type == "image/png"

    def test_by_content(self, connected: Database[Any]) -> None:
        """The content type follows from the content, so an uploader cannot forge it."""
        storage = GridFSStorage(content_type="content")
        png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0\x1f\x15\xc4\x89" + bytes(
            5_000
        )
        for name, data, expected in [
            ("a.txt", png, "image/png"),
            ("a.png", b"just text", "application/octet-stream"),
            ("a.txt", b"just text", "text/plain"),
            ("a.txt", b"\0\1\2", "application/octet-stream"),
            ("a.png", b"", "application/octet-stream"),
        ]:
            stored = storage.stored(storage.save(name, ContentFile(data)))
            assert stored.content_type == expected, (name, data[:10])

    def test_by_a_function(self, connected: Database[Any]) -> None:
        storage = GridFSStorage(content_type=f"{__name__}.guess")
        name = storage.save("a.txt", ContentFile(b"content"))
        assert storage.stored(name).content_type == "x/a.txt-content"
        with storage.open(name, "wb") as file:
            file.write(b"other")
        assert storage.stored(name).content_type == "x/a.txt-other"

    def test_by_a_function_that_there_is_not(self, storage: GridFSStorage) -> None:
        storage = GridFSStorage(content_type="nowhere.guess")
        with pytest.raises(ImportError):
            storage.save("a.txt", ContentFile(b"content"))


def guess(name: str, content: Any, head: bytes) -> str:
    return f"x/{name}-{head.decode()}"
