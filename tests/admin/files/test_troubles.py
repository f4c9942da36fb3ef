"""Servers that are down, slow, read-only or guarded: the pages of files say so in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from djongo_services.embedded.addresses import free_port
from tests.admin.conftest import Page, Site
from tests.admin.files.conftest import Files
from tests.transaction.conftest import entry

ID = "0123456789abcdef01234567"


def every_page(files: Files, id: Any = ID) -> list[Page]:
    pages = [
        files.site.get(files.site.url("file_changelist")),
        files.site.get(files.site.url("file_add"), to="archive/media"),
        files.get(),
        files.get(state="trash"),
        files.get(state="broken"),
        files.get("totals"),
        files.get("collector"),
    ]
    from bson import ObjectId

    for page in ("change", "rename", "replace", "delete"):
        pages.append(files.file(ObjectId(id), page))
    return pages


@pytest.fixture
def fails(files: Files, connect: Callable[..., None]) -> Any:
    """``with fails("ping", blockTimeMS=...)``: the site's connection is treated like that."""
    database = files.site.database

    @contextmanager
    def failing(*commands: str, **how: Any) -> Iterator[None]:
        is_slow = "blockTimeMS" in how
        connect(archive=entry(database, appName=database.name), patient=not is_slow)
        if is_slow:
            how["blockConnection"] = True
        data = {"failCommands": list(commands), "appName": database.name, **how}
        admin = database.client.admin
        admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
        try:
            yield
        finally:
            admin.command({"configureFailPoint": "failCommand", "mode": "off"})

    return failing


class TestDown:
    @pytest.fixture
    def down(self, files: Files, connect: Callable[..., None]) -> Files:
        host = f"mongodb://ann:s3cret@127.0.0.1:{free_port()}/"
        connect({"ADMIN": {"TIMEOUT": 6}}, archive={"HOST": host, "NAME": "x"})
        return files

    def test_every_page_says_so(self, down: Files) -> None:
        for page in every_page(down):
            assert page.status == 200
            assert "cannot be reached" in page.text
            assert 'role="alert"' in page.html
            assert "s3cret" not in page.html
        assert down.get("history").status == 200

    def test_bytes_and_programs_are_told_too(self, down: Files) -> None:
        from bson import ObjectId

        for page in ("raw", "thumbnail", "download"):
            answer = down.file(ObjectId(ID), page)
            assert (answer.status, "cannot be reached" in answer.html) == (503, True)
        assert down.get("job").status == 503

    def test_nothing_is_changed_or_logged(self, down: Files) -> None:
        from bson import ObjectId

        id = ObjectId(ID)
        for page in ("count", "dry_run", "job_stop", "collect"):
            assert "cannot be reached" in down.post(down.url(page), older="1h").text
        for page in ("rename", "replace", "delete", "current", "restore", "verify"):
            assert "cannot be reached" in down.post(down.file_url(id, page), filename="a").html
        uploaded = SimpleUploadedFile("a", b"a")
        said = down.post(
            down.site.url("file_add") + "?to=archive/media",
            target="archive/media 0",
            files=uploaded,
        )
        assert "cannot be reached" in said.text
        bulk: dict[str, Any] = {"action": "delete", "ids": [ID], "confirmed": "1"}
        assert "cannot be reached" in down.post(down.url("bulk"), **bulk).text
        assert down.site.log() == []


def test_slow(files: Files, fails: Any) -> None:
    """The answer takes longer than a page waits; the user can choose to wait longer."""
    stored = files.add("a.txt", b"words", "text/plain")
    for url, command in (
        (files.url(), "listIndexes"),
        (files.url("totals"), "aggregate"),
        (files.file_url(stored.id), "find"),
    ):
        with fails(command, blockTimeMS=3_000):
            page = files.site.get(url)
        assert page.status == 200
        assert "The server did not answer within 1.7 seconds." in page.text
    again = files.site.get(files.url() + page.link("Try again, and wait longer"))
    assert "a.txt" in again.text


def test_references_that_take_long_do_not_keep_the_page(
    files: Files, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    connect({"ADMIN": {"TIMEOUT": 5}}, archive=entry(files.site.database))

    stored = files.add("a.txt", b"words", "text/plain")
    ended = threading.Event()
    monkeypatch.setattr(
        "djongo_services.admin.files.file_parts.find_referrers", lambda *args: ended.wait(60)
    )
    page = files.file(stored.id)
    ended.set()
    assert "words" in page.text
    assert "Referred to by The server did not answer within 5 seconds." in page.text


def test_an_error_that_was_not_foreseen(
    files: Files, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The part says so, and the log says which; the rest of the page is there."""

    def fail(*args: Any) -> None:
        raise ZeroDivisionError

    stored = files.add("a.txt", b"words", "text/plain")
    monkeypatch.setattr("djongo_services.admin.files.file_parts.find_outlook", fail)
    page = files.file(stored.id)
    assert "words" in page.text
    assert "Collector An error occurred; see the site's log for details." in page.text
    assert "ZeroDivisionError" in caplog.text


def test_without_privileges(files: Files, fails: Any) -> None:
    stored = files.add("a.txt", b"words", "text/plain")
    with fails("aggregate", errorCode=13):
        page = files.site.get(files.site.url("file_changelist"))
        assert "lacks a privilege" in page.text
    with fails("count", "listIndexes", "find", "listCollections", errorCode=13):
        for page in every_page(files, str(stored.id)):
            assert page.status == 200
            assert "lacks a privilege" in page.text


def test_sizes_that_the_user_may_not_know(files: Files, fails: Any) -> None:
    from djongo_services.admin.files.buckets import bucket_sizes
    from djongo_services.admin.files.overview_page import bucket_facts
    from djongo_services.connections import connections

    files.add("a.txt")
    with fails("aggregate", errorCode=13):
        (sizes,) = bucket_sizes(connections["archive"].database, ["media"])
    assert bucket_facts(sizes, None) == ["size unknown: the database user may not read it"]


def test_without_the_privilege_to_write(files: Files, fails: Any) -> None:
    stored = files.add("a.txt", b"words", "text/plain")
    with fails("insert", "update", "delete", "findAndModify", errorCode=13):
        for page, data in (
            ("rename", {"filename": "b"}),
            ("delete", {}),
            ("current", {}),
            ("replace", {"files": SimpleUploadedFile("a", b"a")}),
        ):
            said = files.post(files.file_url(stored.id, page), **data)
            assert "lacks a privilege" in said.text, page
        assert "lacks a privilege" in files.post(files.url("dry_run")).text
    assert files.names() == {"a.txt"}
    assert files.site.log() == []


def test_a_server_that_takes_no_writes(
    root: Site, replica_set: Any, connect: Callable[..., None]
) -> None:
    """A secondary, which is the only member that this connection knows."""
    from djongo_services.storage.bucket import Bucket

    name = f"{root.database.name}_3"
    files = Files(root)
    with replica_set.client(w=3) as client:
        primary = f"{client.primary[0]}:{client.primary[1]}" if client.admin.command("ping") else ""
        secondary = next(one.address for one in replica_set.members if one.address != primary)
        stored = Bucket(client[name], "media").upload("a.txt", b"words", content_type="text/plain")
        try:
            options = {"directConnection": True}
            connect(archive={"HOST": f"mongodb://{secondary}/", "NAME": name, "OPTIONS": options})
            for page in every_page(files, str(stored.id)):
                assert page.status == 200
            page = files.file(stored.id)
            assert "does not accept writes at the moment" in page.text
            assert "words" in page.text
            assert "does not accept writes at the moment" in files.get().text
            assert "1 file" in root.get(root.url("file_changelist")).text
        finally:
            client.drop_database(name)
