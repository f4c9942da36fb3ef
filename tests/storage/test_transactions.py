"""The promise: a file is atomic with the row that points to it."""

# ruff: noqa: PT012 - what is tested is how whole blocks end

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import django_mongodb_backend.transaction as backend
import pytest
from django.core.files.base import ContentFile
from django.db import DatabaseError, models
from django.test.utils import isolate_apps
from pymongo.database import Database
from pymongo.errors import PyMongoError

from djongo_services.connections import connections
from djongo_services.storage import FileExists, GridFSStorage, NoFile
from djongo_services.transaction import aatomic, atomic, run_in_transaction
from tests.storage.bucket.conftest import Commands
from tests.storage.conftest import connect, nothing_left
from tests.transaction.conftest import committed, entry, failing


class Boom(Exception):
    pass


def content(storage: GridFSStorage, name: str = "a.txt") -> bytes:
    with storage.open(name) as file:
        found: bytes = file.read()
        return found


def counts(database: Database[Any]) -> tuple[int, int]:
    """Files and chunks as everybody else sees them."""
    return committed(database.fs.files), committed(database.fs.chunks)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"allow_overwrite": True},
    {"allow_overwrite": True, "keep_revisions": True},
    {"deduplicate": True},
    {"compression": "gzip"},
]
each_kind = pytest.mark.parametrize("options", OPTIONS, ids=str)


class TestAtomic:
    @each_kind
    def test_saved(self, connected: Database[Any], options: dict[str, Any]) -> None:
        storage = GridFSStorage(**options)
        with pytest.raises(Boom), atomic():
            storage.save("a.txt", ContentFile(b"content"))
            assert counts(connected) == (0, 1)
            assert content(storage) == b"content"
            assert storage.exists("a.txt")
            assert storage.listdir("") == ([], ["a.txt"])
            assert storage.size("a.txt") == 7
            raise Boom
        assert nothing_left(connected)
        with atomic():
            storage.save("a.txt", ContentFile(b"content"))
            assert counts(connected) == (0, 1)
        assert content(storage) == b"content"

    @each_kind
    def test_deleted(self, connected: Database[Any], options: dict[str, Any]) -> None:
        storage = GridFSStorage(**options)
        storage.save("a.txt", ContentFile(b"content"))
        with pytest.raises(Boom), atomic():
            storage.delete("a.txt")
            assert not storage.exists("a.txt")
            with pytest.raises(NoFile):
                storage.open("a.txt")
            assert counts(connected) == (1, 1)
            raise Boom
        assert content(storage) == b"content"
        with atomic():
            storage.delete("a.txt")
        assert nothing_left(connected)

    @each_kind
    def test_replaced(self, connected: Database[Any], options: dict[str, Any]) -> None:
        """By save() if that overwrites, otherwise by open()."""
        storage = GridFSStorage(**options)
        kept = 2 if options.get("keep_revisions") else 1

        def replace(data: bytes) -> None:
            if options.get("allow_overwrite"):
                storage.save("a.txt", ContentFile(data))
            else:
                with storage.open("a.txt", "wb") as file:
                    file.write(data)

        storage.save("a.txt", ContentFile(b"old"))
        with pytest.raises(Boom), atomic():
            replace(b"new")
            assert content(storage) == b"new"
            assert counts(connected) == (1, 2)
            raise Boom
        assert content(storage) == b"old"
        assert counts(connected) == (1, 1)
        with atomic():
            replace(b"new")
        assert content(storage) == b"new"
        assert counts(connected) == (kept, kept)

    def test_the_first_file_of_a_bucket(self, settings: Any, database: Database[Any]) -> None:
        """Its indexes come before the transaction looks at the bucket; nothing is waited for."""
        commands = Commands()
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {"default": entry(database, event_listeners=[commands])}
        }
        storage = GridFSStorage()
        with atomic():
            storage.save("a.txt", ContentFile(b"content"))
        assert "maxTimeMS" not in str(commands.named("createIndexes"))
        assert len(list(database.fs.files.list_indexes())) == 4
        assert content(storage) == b"content"
        connections.close_all()

    def test_the_first_file_after_other_work(
        self, connected: Database[Any], storage: GridFSStorage
    ) -> None:
        with atomic():
            connected.rows.insert_one({})
            assert not storage.exists("a.txt")
            storage.save("a.txt", ContentFile(b"content"))
            storage.save("b.txt", ContentFile(b"content"))
        assert content(storage, "b.txt") == b"content"
        assert len(list(connected.fs.files.list_indexes())) == 4

    def test_many_at_once(self, connected: Database[Any]) -> None:
        every: list[dict[str, Any]] = [{}, {"allow_overwrite": True}]
        for options in every:
            storage = GridFSStorage(**options)
            with pytest.raises(Boom), atomic():
                storage.save_many((f"{number}.txt", b"content") for number in range(20))
                raise Boom
            assert nothing_left(connected)
        with atomic():
            storage.save_many((f"{number}.txt", b"content") for number in range(20))
        assert counts(connected) == (20, 20)

    def test_a_name_that_another_file_took_meanwhile(
        self, connected: Database[Any], storage: GridFSStorage
    ) -> None:
        """The transaction cannot continue; if it is repeated, the file gets another name."""
        import threading

        storage.save("first.txt", ContentFile(b"content"))

        def others() -> None:
            storage.save("a.txt", ContentFile(b"theirs"))

        attempts: list[int] = []

        def work() -> str:
            attempts.append(1)
            assert storage.exists("first.txt")
            if len(attempts) == 1:
                thread = threading.Thread(target=others)
                thread.start()
                thread.join()
            saved: str = storage.save("a.txt", ContentFile(b"mine"))
            return saved

        with pytest.raises((FileExists, PyMongoError)), atomic():
            work()
        assert content(storage) == b"theirs"
        assert counts(connected) == (2, 2)
        attempts.clear()
        storage.delete("a.txt")
        name = run_in_transaction(work)
        assert name != "a.txt"
        assert (content(storage), content(storage, name)) == (b"theirs", b"mine")
        assert counts(connected) == (3, 3)

    def test_a_name_that_is_shared(self, connected: Database[Any]) -> None:
        storage = GridFSStorage(deduplicate=True)
        storage.save("a.txt", ContentFile(b"content"))
        with pytest.raises(Boom), atomic():
            storage.save("b.txt", ContentFile(b"content"))
            assert content(storage, "b.txt") == b"content"
            storage.delete("a.txt")
            assert not storage.exists("a.txt")
            raise Boom
        assert storage.listdir("") == ([], ["a.txt"])
        with atomic():
            storage.save("b.txt", ContentFile(b"content"))
            storage.delete("a.txt")
        assert storage.listdir("") == ([], ["b.txt"])
        assert counts(connected) == (1, 1)
        with atomic():
            storage.delete("b.txt")
        assert nothing_left(connected)

    def test_a_file_written_before_the_block_and_closed_in_it(
        self, connected: Database[Any], storage: GridFSStorage
    ) -> None:
        file = storage.open("a.txt", "wb")
        file.write(b"content")
        with pytest.raises(Boom), atomic():
            file.close()
            raise Boom
        assert nothing_left(connected)

    def test_another_connections_transaction_is_another_matter(
        self, settings: Any, database: Database[Any]
    ) -> None:
        settings.DJONGO_SERVICES = {
            "CONNECTIONS": {
                "default": entry(database),
                "second": {**entry(database), "NAME": f"{database.name}_2"},
            }
        }
        first, second = GridFSStorage(), GridFSStorage(using="second")
        with pytest.raises(Boom), atomic(using="second"):
            first.save("a.txt", ContentFile(b"content"))
            second.save("a.txt", ContentFile(b"content"))
            raise Boom
        assert first.exists("a.txt")
        assert not second.exists("a.txt")
        connections["second"].client.drop_database(f"{database.name}_2")
        connections.close_all()


async def test_asyncio(settings: Any, database: Database[Any]) -> None:
    connect(settings, database)
    storage = GridFSStorage()
    with pytest.raises(Boom):
        async with aatomic():
            name = await storage.asave("a.txt", ContentFile(b"content"))
            async with await storage.aopen(name) as file:
                assert await file.read() == b"content"
            assert await storage.aexists(name)
            assert await storage.alistdir("") == ([], ["a.txt"])
            assert counts(database) == (0, 1)
            raise Boom
    assert nothing_left(database)
    async with aatomic():
        await storage.asave("a.txt", ContentFile(b"content"))
    with pytest.raises(Boom):
        async with aatomic():
            await storage.adelete("a.txt")
            assert not await storage.aexists("a.txt")
            raise Boom
    assert await storage.asize("a.txt") == 7
    async with aatomic():
        await storage.adelete("a.txt")
    assert nothing_left(database)
    await connections["default"].aclose()
    connections.close_all()


@pytest.fixture
def bucket_name() -> str:
    return f"fs_{uuid.uuid4().hex}"


@pytest.fixture
def on_backend(settings: Any, bucket_name: str) -> Iterator[Database[Any]]:
    """The ORM's own database, whose client the storage shares."""
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    database = connections["default"].database
    yield database
    for kind in ("files", "chunks"):
        database[f"{bucket_name}.{kind}"].drop()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("begin", [atomic, backend.atomic], ids=["atomic", "backend"])
class TestModels:
    @pytest.fixture
    def document(self, on_backend: Database[Any], bucket_name: str) -> Iterator[Any]:
        """A model with a FileField."""
        with isolate_apps("tests.backend_app"):

            class Document(models.Model):
                title = models.CharField(max_length=20)
                file = models.FileField(storage=GridFSStorage(bucket_name), upload_to="docs/")

                class Meta:
                    app_label = "backend_app"
                    db_table = f"t_{bucket_name}"

            yield Document
            on_backend[f"t_{bucket_name}"].drop()

    @pytest.fixture
    def left(self, on_backend: Database[Any], bucket_name: str) -> Any:
        """Rows, files and chunks as everybody else sees them."""
        names = (f"t_{bucket_name}", f"{bucket_name}.files", f"{bucket_name}.chunks")
        return lambda: tuple(committed(on_backend[name]) for name in names)

    def test_row_and_file_appear_together(self, document: Any, left: Any, begin: Any) -> None:
        with pytest.raises(Boom), begin():
            made = document.objects.create(title="a", file=ContentFile(b"content", name="a.txt"))
            assert left() == (0, 0, 1)
            assert made.file.read() == b"content"
            raise Boom
        assert left() == (0, 0, 0)
        with begin():
            document.objects.create(title="a", file=ContentFile(b"content", name="a.txt"))
            assert left() == (0, 0, 1)
        assert left() == (1, 1, 1)
        found = document.objects.get()
        assert found.file.name == "docs/a.txt"
        assert found.file.read() == b"content"

    def test_and_disappear_together(self, document: Any, left: Any, begin: Any) -> None:
        document.objects.create(title="a", file=ContentFile(b"content", name="a.txt"))
        with pytest.raises(Boom), begin():
            found = document.objects.get()
            found.file.delete(save=False)
            found.delete()
            assert left() == (1, 1, 1)
            raise Boom
        assert document.objects.get().file.read() == b"content"
        with begin():
            found = document.objects.get()
            found.file.delete(save=False)
            found.delete()
        assert left() == (0, 0, 0)

    def test_a_file_is_exchanged(self, document: Any, left: Any, begin: Any) -> None:
        made = document.objects.create(title="a", file=ContentFile(b"old", name="a.txt"))

        def exchange() -> None:
            row = document.objects.get(pk=made.pk)
            old = row.file.name
            row.file.save("b.txt", ContentFile(b"new"))
            row.file.storage.delete(old)

        with pytest.raises(Boom), begin():
            exchange()
            raise Boom
        assert document.objects.get().file.read() == b"old"
        with begin():
            exchange()
        assert document.objects.get().file.read() == b"new"
        assert left() == (1, 1, 1)

    def test_a_row_that_is_refused(
        self, document: Any, left: Any, begin: Any, on_backend: Database[Any]
    ) -> None:
        document.objects.create(title="a", file=ContentFile(b"content", name="a.txt"))
        with (
            failing(on_backend.client, "insert", times=1, errorCode=112, namespace=_of(document)),
            pytest.raises(DatabaseError),
            begin(),
        ):
            document.objects.create(title="b", file=ContentFile(b"content", name="b.txt"))
        assert left() == (1, 1, 1)


def _of(document: Any) -> str:
    return f"{connections['default'].database.name}.{document._meta.db_table}"
