"""A client's writes, recorded for its next request: signed, of limited age, never trusted without a
signature."""

from __future__ import annotations

import base64
import logging
import time
from typing import Any

import bson
import pytest
from bson.timestamp import Timestamp
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.transaction.requests import token
from tests.middleware import views
from tests.middleware.conftest import Site
from tests.middleware.test_safe_methods import Commands, commands
from tests.transaction.conftest import failing

__all__ = ["commands"]


@pytest.fixture
def client(site: Site, commands: Commands) -> Client:
    site.configure(READ_YOUR_WRITES="cookie")
    site.serve(
        path("write", views.write),
        path("status/<int:code>", views.status),
        path("read", views.read),
        path("empty", views.empty),
    )
    return Client(raise_request_exception=False)


def times(commands: Commands) -> list[Any]:
    return [command.get("readConcern", {}).get("afterClusterTime") for command in commands.sent]


def read(client: Client, commands: Commands) -> Any:
    """The time after which the next request's first read is to be."""
    commands.sent.clear()
    assert client.get("/read").status_code == 200
    return times(commands)[0]


def test_the_next_request_reads_what_the_last_one_wrote(client: Client, commands: Commands) -> None:
    client.post("/write")
    written = connections["default"].client.admin.command("hello")["operationTime"]
    cookie = client.cookies[token.NAME]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["max-age"] == 60
    assert not cookie["secure"]
    after = read(client, commands)
    assert isinstance(after, Timestamp)
    assert after <= written
    assert read(Client(), commands) is None


def test_only_requests_that_wrote_set_it(client: Client) -> None:
    for address in ("/read", "/empty"):
        assert token.NAME not in client.get(address).cookies
        assert token.NAME not in client.post(address).cookies
    assert token.NAME in client.get("/status/200").cookies


def test_it_is_secure_where_the_site_is(client: Client) -> None:
    client.post("/write", secure=True)
    assert client.cookies[token.NAME]["secure"]


def test_nothing_is_kept_unless_it_is_asked_for(client: Client, site: Site) -> None:
    site.configure()
    assert token.NAME not in client.post("/write").cookies


def forged(alias: str = "default") -> str:
    """An hour ahead: a server without access control would believe it."""
    ahead = Timestamp(4_000_000_000, 1)
    times = {"clusterTime": ahead, "signature": {"hash": b"\0" * 20, "keyId": 0}}
    document = bson.encode({f"CONNECTIONS:{alias}": {"c": times, "o": ahead}})
    return base64.urlsafe_b64encode(document).decode()


@pytest.mark.parametrize(
    "value",
    [
        forged(),
        f"{forged()}:1abcde:{'x' * 43}",
        signing.TimestampSigner(key="another", salt=token._SALT).sign(forged()),
        signing.TimestampSigner(salt="another").sign(forged()),
        signing.Signer(salt=token._SALT).sign(forged()),
        "x" * 5000,
        "::",
        "\xe9",
    ],
)
def test_what_we_did_not_sign_is_ignored_and_logged(
    client: Client, commands: Commands, caplog: Any, value: str
) -> None:
    client.cookies[token.NAME] = value
    assert read(client, commands) is None
    assert "A causal token was ignored, because it is not signed by this site" in caplog.text
    assert "4000000000" not in str(commands.sent)


def mixed(request: HttpRequest) -> HttpResponse:
    """Reads before it writes."""
    assert views.things().find_one() is not None
    return views.write(request)


async def amixed(request: HttpRequest) -> HttpResponse:
    assert await views.athings().find_one() is not None
    return await views.awrite(request)


async def aread(request: HttpRequest) -> HttpResponse:
    found = await views.athings().find_one()
    return HttpResponse(str(found is not None))


def signed(*, cluster: bool) -> str:
    """Our own token, of a cluster whose time is far ahead of this one's, such as the one that was
    there before a restore."""
    document = bson.decode(base64.urlsafe_b64decode(forged()))
    if not cluster:
        document["CONNECTIONS:default"]["c"] = None
    packed = base64.urlsafe_b64encode(bson.encode(document)).decode()
    return signing.TimestampSigner(salt=token._SALT).sign(packed)


@pytest.mark.parametrize("cluster", [True, False])
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("address", ["/read", "/write", "/mixed"])
def test_times_of_another_cluster_are_dropped(
    each_site: Site, address: str, method: str, cluster: bool
) -> None:
    """The request is answered as one without them, in a transaction too, and its client gets others
    for the next one."""
    each_site.configure(READ_YOUR_WRITES="cookie")
    if each_site.stack == "sync":
        each_site.serve(path("write", views.write), path("read", views.read), path("mixed", mixed))
    else:
        each_site.serve(path("write", views.awrite), path("read", aread), path("mixed", amixed))
    answer = each_site.request(method, address, cookies={token.NAME: signed(cluster=cluster)})
    assert answer.status_code == 200
    given = answer.cookies[token.NAME].value
    assert "4000000000" not in str(token._read(given, 60))
    again = each_site.request(method, address, cookies={token.NAME: given})
    assert again.status_code == 200
    if address == "/read" and method == "get":
        assert token.NAME not in again.cookies


@pytest.mark.parametrize("code", [204, 211])
def test_times_that_another_cluster_signed(
    client: Client, database: Database[Any], code: int
) -> None:
    """As a server with access control answers; others accept unsigned times."""
    for address, command in (("/read", "aggregate"), ("/write", "insert")):
        client.post("/write")
        with failing(database.client, command, times=1, errorCode=code):
            assert client.post(address).status_code == 200
        with failing(database.client, command, times=2, errorCode=code):
            assert client.post(address).status_code == 500


def test_what_is_written_then_is_written_once(site: Site, client: Client) -> None:
    for _ in range(2):
        client.cookies[token.NAME] = signed(cluster=True)
        before = views.things().count_documents({})
        assert client.post("/write").status_code == 200
        assert views.things().count_documents({}) == before + 1


def test_a_token_of_ours_that_is_damaged_is_ignored(
    client: Client, commands: Commands, caplog: Any
) -> None:
    for inside in ("%%%", base64.urlsafe_b64encode(b"no bson").decode(), forged()[:40]):
        client.cookies[token.NAME] = signing.TimestampSigner(salt=token._SALT).sign(inside)
        assert read(client, commands) is None
    assert caplog.text.count("A causal token was ignored") == 3


def test_an_old_one_is_ignored(
    client: Client, commands: Commands, caplog: Any, monkeypatch: Any
) -> None:
    client.post("/write")
    caplog.set_level(logging.INFO, "djongo_services.transaction")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 50)
    assert read(client, commands) is not None
    monkeypatch.setattr(time, "time", lambda: now + 62)
    assert read(client, commands) is None
    assert "because it is expired" in caplog.text


def test_it_is_looked_at_only_when_mongodb_is_used(client: Client, caplog: Any) -> None:
    client.cookies[token.NAME] = "forged"
    client.get("/empty")
    client.post("/empty")
    assert "causal token" not in caplog.text


def test_one_connection_does_not_forget_another(
    site: Site, client: Client, commands: Commands
) -> None:
    def second(request: HttpRequest) -> HttpResponse:
        views.things("second").insert_one({})
        return HttpResponse()

    site.serve(path("write", views.write), path("second", second), path("read", views.read))
    client.post("/write")
    client.post("/second")
    assert read(client, commands) is not None


def test_in_a_session(each_site: Site, commands: Commands, settings: Any) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    sessions = "django.contrib.sessions.middleware.SessionMiddleware"
    each_site.configure(READ_YOUR_WRITES="session")
    each_site.settings.MIDDLEWARE = [sessions, *each_site.settings.MIDDLEWARE]
    each_site.serve(path("write", views.write), path("seen", views.read))
    response: Any = each_site.post("/write")
    session = response.cookies[settings.SESSION_COOKIE_NAME].value
    assert token.NAME not in response.cookies
    commands.sent.clear()
    each_site.get("/seen", cookies={settings.SESSION_COOKIE_NAME: session})
    assert times(commands)[0] is not None


def test_both_stacks_keep_it(each_site: Site, configured: None) -> None:
    each_site.configure(READ_YOUR_WRITES="cookie")
    each_site.serve(path("awrite", views.awrite))
    assert token.NAME in each_site.post("/awrite").cookies
