"""The Indexes tab and its actions."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.admin.conftest import Site, read, rows
from tests.transaction.conftest import failing


@pytest.fixture
def books(root: Site) -> Any:
    books = root.database.books
    books.insert_many([{"title": f"t{n}", "tags": [n], "pages": n} for n in range(50)])
    books.create_index([("title", 1), ("pages", -1)], name="title_pages")
    books.create_index("title", name="by_title")
    books.create_index("at", name="ttl", expireAfterSeconds=3600)
    books.create_index("tags", name="tags", sparse=True)
    books.create_index(
        "name", unique=True, name="names", partialFilterExpression={"name": {"$type": "string"}}
    )
    books.create_index([("body", "text")], name="words")
    books.create_index("code", collation={"locale": "de"}, name="german", hidden=True)
    books.create_index([("place", "2dsphere")], name="where")
    return books


def row(site: Site, name: str, **query: str) -> str:
    page = site.get(site.collection("books"), **query)
    return next(found for found in rows(page.html) if found.startswith(f"{name} "))


def test_every_kind_of_index(root: Site, books: Any) -> None:
    assert "unique" in row(root, "_id_")
    assert "the server" in row(root, "_id_")
    assert "title ↑, pages ↓" in row(root, "title_pages")
    assert "compound" in row(root, "title_pages")
    assert "library.Book.Meta.indexes" in row(root, "title_pages")
    assert "redundant with title_pages" in row(root, "by_title")
    assert "no model" in row(root, "by_title")
    assert "TTL 3,600 s" in row(root, "ttl")
    assert "sparse multikey" in row(root, "tags")
    assert 'partial {"name": {"$type": "string"}}' in row(root, "names")
    assert "text" in row(root, "words")
    assert "collation de hidden" in row(root, "german")
    assert "2dsphere" in row(root, "where")
    assert re.search(r"\d+\.\d kB", row(root, "title_pages"))
    assert "of the largest" in row(root, "title_pages")


def test_usage_is_told_with_its_beginning(root: Site, books: Any) -> None:
    list(books.find({"title": "t1"}).hint("by_title"))
    since = r"since \d{4}-\d\d-\d\d \d\d:\d\d \(\d+\s\w+\)"
    assert re.search(rf" 1 {since}", row(root, "by_title"))
    assert re.search(rf"not used {since}", row(root, "ttl"))


def test_zero_is_not_called_by_that_word(root: Site, books: Any) -> None:
    for page in ("change", "plan"):
        assert "unused" not in root.get(root.collection("books", page)).html.lower()


def test_order(root: Site, books: Any) -> None:
    def names(order: str) -> list[str]:
        page = root.get(root.collection("books"), o=order)
        return [found.split(" ")[0] for found in rows(page.html)]

    assert names("name") == sorted(names(""), key=str.lower)
    assert names("-name") == list(reversed(names("name")))
    assert names("nonsense") == names("")
    list(books.find({"at": 1}).hint("ttl"))
    assert names("-usage")[0] == "ttl"
    page = root.get(root.collection("books"), o="-size")
    assert page.html.count("aria-sort") == 1
    assert page.link("Size") == "?o=size"
    # What is redundant does not depend on how the rows are sorted.
    assert "redundant with title_pages" in row(root, "by_title", o="-name")


def test_of_several_members(root: Site, replica_set: Any, connect: Any) -> None:
    with replica_set.client() as client:
        name = f"{root.database.name}_3"
        client[name].get_collection("notes").create_index("n", name="by_n")
        try:
            connect(archive={"HOST": replica_set.uri, "NAME": name})
            text = root.get(root.collection("notes")).text
            for member in replica_set.members:
                port = member.address.partition(":")[2]
                assert re.search(rf"not used since [-\d: ]+ \([^)]*\), \S+:{port} ", text)
        finally:
            client.drop_database(name)


def test_a_view_has_none(root: Site) -> None:
    root.database.create_collection("view", viewOn="books", pipeline=[])
    assert "A view has no indexes" in root.get(root.collection("view")).text


def test_a_collection_that_only_a_model_knows(root: Site) -> None:
    assert "does not exist yet" in root.get(root.collection("authors")).text


class TestCode:
    """The code that declares an index of the database in a model."""

    def code(self, site: Site, name: str, collection: str = "books") -> Any:
        from djongo_services.admin.indexes import digest_of

        return site.get(site.collection(collection, "index", digest_of(name), "declare"))

    def test_of_a_collection_with_a_model(self, root: Site, books: Any) -> None:
        books.create_index([("author_id", 1), ("pages", -1)], name="author_pages")
        page = self.code(root, "author_pages")
        assert "add this to library.Book" in page.text
        assert 'models.Index(fields=["author", "-pages"], name="author_pages")' in page.text
        assert "from django.db import models class Meta: indexes = [" in page.text

    def test_of_another_kind(self, root: Site, books: Any) -> None:
        visits = root.database.visits
        visits.create_index("at", name="later", expireAfterSeconds=86_400)
        page = self.code(root, "later", "visits")
        assert "from djongo_services.indexes import TTLIndex" in page.text
        assert 'TTLIndex(fields=["at"], name="later", expire_after=86400)' in page.text

    def test_of_a_collection_without_a_model(self, root: Site) -> None:
        root.database.notes.create_index("kind", name="kinds", unique=True)
        page = self.code(root, "kinds", "notes")
        assert "No model declares this collection." in page.text
        assert 'UniqueIndex(fields=["kind"], name="kinds", nulls_distinct=False)' in page.text

    def test_what_no_class_says_is_told(self, root: Site, books: Any) -> None:
        page = self.code(root, "words")
        assert "# Index " in page.text
        assert "this class has no field body" in page.text

    def test_only_where_it_is_not_declared(self, root: Site, books: Any) -> None:
        page = root.get(root.collection("books")).html
        offered = re.findall(
            r'Code for Meta\.indexes<span class="mongo-hidden"> (\S+)</span>', page
        )
        assert sorted(offered) == ["by_title", "german", "names", "tags", "ttl", "where", "words"]

    def test_permissions(self, site: Site) -> None:
        site.database.notes.create_index("kind", name="kinds")
        site.login("view_collection")
        assert self.code(site, "kinds", "notes").status == 200
        page = site.get(site.collection("notes")).text
        assert "Code for Meta.indexes" in page
        assert "Drop" not in page
        from djongo_services.admin.indexes import digest_of

        url = site.collection("notes", "index", digest_of("kinds"), "declare")
        assert site.post(url).status == 405
        site.login()
        assert self.code(site, "kinds", "notes").status == 403

    def test_hostile_names_are_inert(self, root: Site) -> None:
        evil = "<script>alert(1)</script>"
        root.database.notes.create_index(evil, name=evil)
        root.database.notes.create_index("a", name='"); import os; (')
        page = self.code(root, evil, "notes")
        assert "<script>alert" not in page.html
        assert "has no field &lt;script&gt;" in page.html
        assert "\\n" not in page.html
        quoted = self.code(root, '"); import os; (', "notes").text
        assert """name='"); import os; ('""" in quoted


class TestDefinition:
    def test_it_can_be_selected(self, root: Site, books: Any) -> None:
        page = root.get(root.collection("books"))
        found = [read(one) for one in re.findall(r"(?s)<pre id=[^>]*>(.*?)</pre>", page.html)]
        assert len(found) == 9
        assert any('"expireAfterSeconds": 3600' in one for one in found)
        # Only a script shows the buttons.
        assert page.html.count("hidden>Copy</button>") == 9


class TestActions:
    def test_hide_and_unhide(self, root: Site, books: Any) -> None:
        confirmation = root.get(self.link(root, "by_title", "hide"))
        assert "Queries no longer use it" in confirmation.text
        assert not books.index_information()["by_title"].get("hidden")  # nothing yet
        done = root.post(self.link(root, "by_title", "hide"), follow=True)
        assert "Done: hide index by_title." in done.html
        assert books.index_information()["by_title"]["hidden"]
        assert "hidden" in row(root, "by_title")
        root.post(self.link(root, "by_title", "unhide"))
        assert not books.index_information()["by_title"].get("hidden")
        said = [entry.change_message for entry in root.log()]
        assert said == ["hide index by_title", "unhide index by_title"]
        entry = root.log()[0]
        assert entry.get_admin_url() == root.collection("books")
        assert "hide index by_title" in root.get(root.collection("books", "history")).text

    def test_drop_asks_for_the_name(self, root: Site, books: Any) -> None:
        url = self.link(root, "names", "drop")
        confirmation = root.get(url)
        assert "type the name of the index: names" in confirmation.text
        assert "without it, duplicates are possible" in confirmation.text
        for typed in ("", "name", "_id_"):
            wrong = root.post(url, name=typed)
            assert wrong.status == 200
            assert "nothing was done" in wrong.text
        assert "names" in books.index_information()
        root.post(url, name="names")
        assert "names" not in books.index_information()

    def test_a_drop_can_be_rolled_back(self, root: Site, books: Any) -> None:
        before = books.index_information()["names"]
        root.post(self.link(root, "names", "drop"), name="names")
        runs = root.get(root.url("collection_runs"))
        run = root.get(runs.link("1 index"))
        assert "drop index names" in run.text
        undo = root.get(run.link("Roll back"))
        assert "build index names" in undo.text
        root.post(run.link("Roll back"))
        assert books.index_information()["names"] == before

    def test_a_declared_index_will_be_wanted_back(self, root: Site, books: Any) -> None:
        confirmation = root.get(self.link(root, "title_pages", "drop"))
        assert "library.Book.Meta.indexes declares it" in confirmation.text
        assert "declares it" not in root.get(self.link(root, "ttl", "drop")).text
        assert "documents no longer expire" in root.get(self.link(root, "ttl", "drop")).text

    def test_an_index_that_is_gone_meanwhile(self, root: Site, books: Any) -> None:
        url = self.link(root, "by_title", "hide")
        books.drop_index("by_title")
        assert root.post(url).status == 404

    def test_while_another_run_is_at_work(self, root: Site, books: Any) -> None:
        from djongo_services.connections import connections
        from djongo_services.schema.applying import SchemaLease

        url = self.link(root, "by_title", "hide")
        with SchemaLease(connections["archive"].database):
            refused = root.post(url, follow=True)
        assert "Another" in refused.html
        assert not books.index_information()["by_title"].get("hidden")
        assert root.log() == []

    def test_what_the_server_refuses_is_said(self, root: Site, books: Any) -> None:
        url = self.link(root, "by_title", "hide")
        with failing(root.database.client, "collMod", times=1, errorCode=13):
            refused = root.post(url, follow=True)
        assert "could not hide index by_title" in refused.html
        assert root.log() == []

    def link(self, site: Site, name: str, action: str) -> str:
        from djongo_services.admin.indexes import digest_of

        return site.collection("books", "index", digest_of(name), action)
