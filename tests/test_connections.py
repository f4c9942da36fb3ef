import asyncio
import gc
import os
import threading
import weakref

import pytest
from asgiref.sync import sync_to_async
from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.db import connections as databases
from django.test import override_settings
from django.utils.connection import ConnectionDoesNotExist
from pymongo.errors import ServerSelectionTimeoutError

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.transaction import aatomic, atomic
from tests.backend_app.models import Author

pytestmark = pytest.mark.django_db


@pytest.fixture
def own(mongodb_server):
    """A connection with a separate client, on the real server."""
    with override_settings(
        DJONGO_SERVICES={
            "CONNECTIONS": {
                "default": {"DATABASE": "default"},
                "own": {"HOST": mongodb_server.uri, "NAME": f"own_{ObjectId()}"},
            }
        }
    ):
        yield connections["own"]
        connections["own"].client.drop_database(connections["own"].database_name)
        connections.close_all()


class TestClient:
    def test_is_made_once_and_shared_by_threads(self, own):
        found = []
        threads = [threading.Thread(target=lambda: found.append(own.client)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {id(client) for client in found} == {id(own.client)}

    def test_reads_and_writes(self, own):
        own.database.things.insert_one({"a": 1})
        assert own.database.things.count_documents({}) == 1

    def test_dates_are_aware(self, own):
        assert own.client.codec_options.tz_aware

    def test_is_the_backends_own_when_it_shares_an_alias(self, own):
        shared = connections["default"]
        databases["default"].ensure_connection()
        assert shared.client is databases["default"].connection
        assert shared.database_name == databases["default"].settings_dict["NAME"]

    def test_a_forked_child_gets_a_new_one(self, own):
        own.database.things.insert_one({"a": 1})
        parents = own.client
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            fresh = own.client is not parents
            works = own.database.things.count_documents({}) == 1
            os.write(write_end, b"ok" if fresh and works else b"no")
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(read_end, 2) == b"ok"
        os.close(read_end)
        os.close(write_end)
        assert own.client is parents

    def test_closing_forgets_it(self, own):
        first = own.client
        own.close()
        assert own.client is not first


class TestAsyncClient:
    async def test_reads_and_writes(self, own):
        await own.async_database.things.insert_one({"a": 1})
        assert await own.async_database.things.count_documents({}) == 1
        await own.aclose()

    def test_is_one_per_event_loop(self, own):
        async def twice():
            first, second = own.async_client, own.async_client
            await own.aclose()
            return first, second

        first, second = asyncio.run(twice())
        assert first is second
        third, _ = asyncio.run(twice())
        assert third is not first

    def test_needs_a_running_loop(self, own):
        with pytest.raises(RuntimeError, match="no running event loop"):
            _ = own.async_client

    def test_ends_with_its_loop(self, own):
        """As under WSGI, where each request to an async view has a separate loop."""
        storage = GridFSStorage(using="own")
        opened = []

        async def use():
            opened.append(own.async_client)
            async with aatomic(using="own"):
                await own.async_database.things.insert_one({})
            name = await storage.asave("a.txt", ContentFile(b"a"))
            assert await storage.aexists(name)

        for _ in range(3):
            asyncio.run(use())
        assert [client._closed for client in opened] == [True] * 3
        assert len(own._async_clients) == 0
        gone = [weakref.ref(client) for client in opened]
        opened.clear()
        gc.collect()
        assert [client() for client in gone] == [None] * 3

    def test_a_loop_that_was_only_closed_is_forgotten(self, own):
        async def use():
            return own.async_client

        loop = asyncio.new_event_loop()
        left = loop.run_until_complete(use())
        loop.close()
        assert len(own._async_clients) == 1
        assert asyncio.run(use()) is not left
        assert len(own._async_clients) == 0

    async def test_shares_the_server_of_a_backend_alias(self, own):
        shared = connections["default"]
        assert (await shared.async_client.admin.command("ping"))["ok"] == 1
        await shared.aclose()


class TestHandler:
    def test_an_unknown_alias_names_the_known_ones(self, own):
        with pytest.raises(ConnectionDoesNotExist, match=r"'nope' is not in .*'default', 'own'"):
            connections["nope"]

    def test_changed_settings_are_read_again(self, own):
        assert list(connections) == ["default", "own"]
        with override_settings(DJONGO_SERVICES={"CONNECTIONS": {"other": {"NAME": "x"}}}):
            assert list(connections) == ["other"]
            assert "own" not in connections
        assert connections["own"] is not own

    def test_an_alias_that_is_not_there(self):
        with override_settings(DJONGO_SERVICES={"CONNECTIONS": {"a": {"DATABASE": "gone"}}}):
            with pytest.raises(ImproperlyConfigured, match=r"shares DATABASES\['gone'\]"):
                _ = connections["a"].client

    def test_options_that_mongoclient_refuses(self):
        with override_settings(
            DJONGO_SERVICES={"CONNECTIONS": {"a": {"NAME": "x", "OPTIONS": {"nonsense": 1}}}}
        ):
            with pytest.raises(ImproperlyConfigured, match=r"connection 'a' .*nonsense"):
                _ = connections["a"].client


class TestAddress:
    @pytest.mark.parametrize(
        ("entry", "address"),
        [
            ({"NAME": "test_x"}, "localhost:27017/test_x"),
            ({"NAME": "test_x", "HOST": "db1", "PORT": 5}, "db1:5/test_x"),
            (
                {"NAME": "test_x", "HOST": "mongodb://ann:secret@db1,db2:27018/?replicaSet=a"},
                "db1:27017,db2:27018/test_x",
            ),
            (
                {"NAME": "test_x", "HOST": "mongodb+srv://ann:secret@cluster.example.org/y"},
                "cluster.example.org:27017/test_x",
            ),
        ],
    )
    def test_says_where_without_secrets(self, entry, address):
        with override_settings(DJONGO_SERVICES={"CONNECTIONS": {"a": entry}}):
            assert connections["a"].address == address


class TestAbilities:
    def test_are_asked_once_per_topology(self, own):
        first = own.abilities
        assert first.transactions
        assert first.topology == "replica set"
        assert own.abilities is first

    def test_an_unreachable_server_raises(self):
        entry = {
            "HOST": "mongodb://127.0.0.1:9",
            "NAME": "x",
            "OPTIONS": {"serverSelectionTimeoutMS": 50},
        }
        with override_settings(DJONGO_SERVICES={"CONNECTIONS": {"a": entry}}):
            with pytest.raises(ServerSelectionTimeoutError):
                _ = connections["a"].abilities
            connections.close_all()


@pytest.fixture
def other_name():
    """``rename()`` has the backend's alias use another database, as Django's test runner does."""
    wrapper = databases["default"]
    before, other = wrapper.settings_dict["NAME"], f"other_{ObjectId()}"

    def rename(close):
        wrapper.settings_dict["NAME"] = other
        if close:
            wrapper.close()
        return other

    yield rename
    wrapper.ensure_connection()
    wrapper.connection.drop_database(other)
    wrapper.settings_dict["NAME"] = before


@pytest.mark.django_db(transaction=True)
class TestNameChangedAtRunTime:
    """The ORM, PyMongo and files are never in two databases."""

    pytestmark = pytest.mark.parametrize("close", [True, False], ids=["closed", "left open"])

    @staticmethod
    def work():
        with atomic():
            Author.objects.create(name="A")
            connections["default"].database.raw.insert_one({})
            GridFSStorage().save("file", ContentFile(b"text"))

    @staticmethod
    def there(name):
        client = databases["default"].connection
        return {
            collection: client[name][collection].count_documents({})
            for collection in ("backend_app_author", "raw", "fs.files", "fs.chunks")
        }

    def test_all_follow(self, other_name, close):
        before = databases["default"].settings_dict["NAME"]
        self.work()
        first = self.there(before)
        name = other_name(close)
        storage = GridFSStorage()
        self.work()
        assert Author.objects.count() == 1
        assert storage.open("file").read() == b"text"
        assert self.there(name) == dict.fromkeys(first, 1)
        assert self.there(before) == first
        for collection in ("raw", "fs.files", "fs.chunks"):
            databases["default"].connection[before][collection].drop()

    def test_in_other_threads(self, other_name, close):
        """Each has its own wrapper, which is never closed."""
        changed = threading.Event()
        names: list[str] = []

        def work():
            Author.objects.count()
            ready.set()
            assert changed.wait(20)
            self.work()
            names.append(connections["default"].database_name)

        ready = threading.Event()
        thread = threading.Thread(target=work)
        thread.start()
        assert ready.wait(20)
        name = other_name(close)
        changed.set()
        thread.join()
        assert names == [name]
        assert set(self.there(name).values()) == {1}

    def test_with_asyncio(self, other_name, close):
        async def work():
            async with aatomic():
                await Author.objects.acreate(name="A")
                await connections["default"].async_database.raw.insert_one({})
                await sync_to_async(GridFSStorage().save)("file", ContentFile(b"text"))
            assert connections["default"].async_database.name == name
            await connections["default"].aclose()

        Author.objects.count()
        name = other_name(close)
        asyncio.run(work())
        assert set(self.there(name).values()) == {1}
