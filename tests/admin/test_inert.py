"""Names and values are data on every page; nothing secret is on any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.utils import quote

from tests.admin.conftest import Page, Site
from tests.admin.markup import Markup, check_inert
from tests.introspection.render_example import HOSTILE
from tests.transaction.conftest import uri_of

TABS = ("change", "documents", "schema", "validator", "plan", "history")
NAMES = [name for name in HOSTILE if "$" not in name and "\0" not in name]
LONG = "x" * 1_000_000


def pages(site: Site, *names: str) -> Iterator[Page]:
    for page in ("collection_changelist", "collection_whole_plan", "collection_runs"):
        yield site.get(site.url(page))
    yield site.get(site.url("transaction_changelist"))
    for name in names:
        for tab in TABS:
            yield site.get(site.collection(name, tab))
        from djongo_services.admin.indexes import digest_of

        for index in site.database[name].index_information() if _is_usable(name) else ():
            if index != "_id_":
                yield site.get(site.collection(name, "index", digest_of(index), "drop"))


def _is_usable(name: str) -> bool:
    return not (name.startswith(".") or name.endswith(".") or ".." in name)


def check(page: Page) -> None:
    check_inert(page)
    assert "unused" not in page.html


@pytest.fixture
def hostile(root: Site) -> Site:
    notes = root.database.notes
    notes.insert_one({"_id": LONG, **{name: name for name in HOSTILE}, "tags": [LONG]})
    for number, name in enumerate(HOSTILE):
        notes.insert_one({"_id": name, "n": number})
        notes.create_index([(f"a{number}", 1)], name=name or "empty")
    notes.create_index([("b" * 500, 1)], name="long" * 200)
    notes.create_index(
        [("c", 1)], name="partial", partialFilterExpression={"c": {"$eq": HOSTILE[4]}}
    )
    validator = {
        "$jsonSchema": {
            "required": [HOSTILE[4]],
            "properties": {
                HOSTILE[5]: {"enum": list(HOSTILE), "description": HOSTILE[4]},
                "n": {"bsonType": "string"},
            },
        }
    }
    root.database.command("collMod", "notes", validator=validator)
    return root


def test_names_and_values_of_every_kind(hostile: Site) -> None:
    hostile.post(hostile.collection("notes", "schema_start"), depth="sample")
    for page in pages(hostile, "notes"):
        check(page)
    check(hostile.post(hostile.collection("notes", "validator_explain")))


@pytest.mark.parametrize("name", NAMES)
def test_collections_of_any_name(root: Site, name: str) -> None:
    root.database.command("create", name)
    found = root.get(root.url("collection_changelist"))
    check(found)
    address = quote(f"archive/{name}")
    for tab in TABS:
        page = root.get(root.url(f"collection_{tab}", address))
        check(page)
    # The link of the dashboard leads there.
    (link,) = [one for one in Markup(found.html).links if one.endswith("/change/")][:1] or [""]
    assert root.get(link).status == 200


def test_what_comes_from_the_address_is_not_repeated_as_markup(root: Site) -> None:
    evil = '"><script>alert(1)</script>'
    for page in (
        root.get(root.url("collection_changelist"), q=evil, o=evil, p=evil),
        root.get(root.url("collection_changelist"), q=evil, wait=evil),
        root.get(root.collection("authors"), o=evil),
    ):
        check(page)
    for url in ("collection_changelist", "collection_runs", "transaction_changelist"):
        page = root.get(root.url(url), connection=evil)
        assert page.status == 404
        assert "<script>alert" not in page.html


def test_a_client_that_names_itself_badly(root: Site) -> None:
    root.database.notes.insert_one({})
    from pymongo import MongoClient

    evil = "<script>alert(1)</script>"
    with (
        MongoClient[Any](uri_of(root.database), appName=evil) as client,
        client.start_session() as session,
        session.start_transaction(),
    ):
        client[root.database.name].notes.insert_one({}, session=session)
        page = root.get(root.url("transaction_changelist"))
        session.abort_transaction()
    assert evil in page.text
    check(page)


SECRET = "pa55word-of-ann"
PASSWORDS: dict[str, dict[str, Any]] = {
    "in the uri": {"HOST": f"mongodb://ann:{SECRET}@%s/"},
    "a setting": {"HOST": "mongodb://%s/", "USER": "ann", "PASSWORD": SECRET},
    "an option": {"HOST": "mongodb://%s/", "OPTIONS": {"username": "ann", "password": SECRET}},
}


@pytest.mark.parametrize("where", PASSWORDS)
def test_no_page_shows_a_refused_password(root: Site, connect: Any, where: str) -> None:
    host = uri_of(root.database).removeprefix("mongodb://").rstrip("/")
    entry = PASSWORDS[where]
    connect(archive={**entry, "HOST": entry["HOST"] % host, "NAME": root.database.name})
    for url in (root.url("collection_changelist"), root.collection("books")):
        page = root.get(url)
        assert "refused the user name or the password" in page.text
        assert SECRET not in page.html


def test_no_page_shows_the_password_of_a_server_that_is_down(root: Site, connect: Any) -> None:
    entry = PASSWORDS["in the uri"]
    connect({"ADMIN": {"TIMEOUT": 6}}, archive={"HOST": entry["HOST"] % "127.0.0.1:9", "NAME": "x"})
    shown = list(pages(root))
    shown += [root.get(root.collection("books", tab)) for tab in TABS]
    shown.append(root.post(root.collection("books", "schema_start"), depth="sample", follow=True))
    for page in shown:
        assert page.status == 200
        assert SECRET not in page.html
    assert "cannot be reached" in shown[0].text
