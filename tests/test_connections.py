import asyncio
import gc
import os
import threading

import pytest
from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.db import connections as databases
from django.test import override_settings
from django.utils.connection import ConnectionDoesNotExist
from pymongo.errors import ServerSelectionTimeoutError

from djongo_services.connections import connections

pytestmark = pytest.mark.django_db


@pytest.fixture
def own(mongodb_server):
    """A connection with a client of its own, on the real server."""
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

    def test_a_finished_loop_is_not_kept(self, own):
        async def use():
            await own.async_database.things.find_one()
            await own.aclose()

        asyncio.run(use())
        gc.collect()
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
            ({"NAME": "x"}, "localhost:27017/x"),
            ({"NAME": "x", "HOST": "db1", "PORT": 5}, "db1:5/x"),
            (
                {"NAME": "x", "HOST": "mongodb://ann:secret@db1,db2:27018/?replicaSet=a"},
                "db1:27017,db2:27018/x",
            ),
            (
                {"NAME": "x", "HOST": "mongodb+srv://ann:secret@cluster.example.org/y"},
                "cluster.example.org:27017/x",
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
