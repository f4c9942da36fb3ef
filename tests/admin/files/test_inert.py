"""Names, types and metadata of files are data on every page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from bson import Int64, ObjectId
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.admin.conftest import Page
from tests.admin.files.conftest import LONG_AGO, Files
from tests.admin.files.test_collector import dry_run
from tests.admin.markup import Markup
from tests.introspection.render_example import HOSTILE

EVIL = (*HOSTILE, "javascript:alert(1)", "\u2067\u202eabc")
LONG = "x" * 1_000_000
METADATA = ("contentType", "sha256")
PAGES = ("bucket", "totals", "collector", "history")
FILE_PAGES = ("change", "rename", "replace", "delete", "history")


def check(page: Page) -> None:
    assert page.status in (200, 400), page.text
    markup = Markup(page.html)
    assert markup.refused == []
    assert markup.foreign == []
    assert "<script>alert" not in page.html
    assert "onerror=alert" not in page.html.replace("src=x onerror=alert(1)&gt;", "")
    for character in "\u202e\u2067\x1b":
        assert character not in page.html
    assert len(page.html) < 400_000


def pages(files: Files) -> Iterator[Page]:
    yield files.site.get(files.site.url("file_changelist"))
    yield files.site.get(files.site.url("file_add"), connection="archive")
    for page in PAGES:
        yield files.get(page)
    yield files.get(o="name")
    for state in ("trash", "unreferenced", "broken", "superseded"):
        yield files.get(state=state)
    for each in files.documents.find({}, {"_id": 1}):
        if len(str(each["_id"])) < 500:
            for page in FILE_PAGES:
                yield files.file(each["_id"], page)
    for each in files.trash.find({}, {"_id": 1}):
        yield files.file(each["_id"])
        yield files.file(each["_id"], "purge")


def document(id: Any, **values: Any) -> dict[str, Any]:
    return {
        "_id": id,
        "length": Int64(5),
        "chunkSize": 5,
        "uploadDate": LONG_AGO,
        "filename": "a",
        **values,
    }


@pytest.fixture
def hostile(files: Files) -> Files:
    files.add("a.txt", "".join(EVIL).encode(), "text/plain")
    everything = {f"k{number}": text for number, text in enumerate(EVIL)}
    files.documents.insert_many(
        [
            document(text, filename=text, metadata=dict.fromkeys((*METADATA, text), text))
            for text in EVIL
        ]
    )
    files.documents.insert_many(
        [
            document(LONG, filename="long id"),
            document(1, filename=LONG, metadata={"contentType": LONG, "more": [LONG] * 3}),
            document(2, filename="b", metadata={"deep": [[[[[[[everything]]]]]]] * 500}),
            document(3, metadata={"aliases": [{"name": text} for text in EVIL], "codecs": [EVIL]}),
            document(4, filename=["a"], uploadDate=EVIL[4], metadata=EVIL[4]),
            document(5, filename={"$gt": ""}, contentType={"a": EVIL[4]}),
        ]
    )
    files.trash.insert_many(
        [
            {
                "_id": ObjectId(),
                "file": document(text, filename=text),
                "kind": text,
                "reason": text,
                "trashedAt": dt.datetime(2026, 1, 1),
            }
            for text in EVIL
        ]
    )
    return files


def test_every_page(hostile: Files) -> None:
    dry_run(hostile)
    for page in pages(hostile):
        check(page)


def test_buckets_of_any_name(files: Files) -> None:
    for name in EVIL:
        if "$" in name or "\0" in name or name.startswith("."):
            continue
        odd = Files(files.site, name)
        stored = odd.add("a.txt")
        for page in PAGES:
            check(odd.get(page))
        check(odd.file(stored.id))
        check(files.site.get(files.site.url("file_changelist")))
        check(odd.site.get(odd.url("empty_trash")))
        assert odd.post(odd.url("empty_trash"), days="1", name=name).status in (200, 400)
        files.site.database.drop_collection(f"{name}.files")
        files.site.database.drop_collection(f"{name}.chunks")


def test_what_comes_from_the_address_is_not_repeated_as_markup(files: Files) -> None:
    stored = files.add("a.txt")
    evil = '"><script>alert(1)</script>'
    for name in ("q", "type", "size", "since", "until", "o", "state", "p", "wait", "count"):
        check(files.get(**{name: evil}))
    for url in (files.site.url("file_changelist"), files.site.url("file_add")):
        page = files.site.get(url, connection=evil)
        assert page.status == 404
        assert "<script>alert" not in page.html
    check(files.site.get(files.site.url("file_add"), to=evil))
    check(files.post(files.file_url(stored.id, "rename"), filename=f"../{evil}"))
    check(files.post(files.url("dry_run"), older=evil))
    check(files.post(files.url("bulk"), action="delete", ids=[str(stored.id)], query=f"q={evil}"))
    check(files.get("collect", older="1h", only=evil, verify=evil))


def test_uploads_of_any_name(files: Files) -> None:
    for name in EVIL:
        uploaded = SimpleUploadedFile("x", b"x", "text/html")
        uploaded.name = name.replace("/", "_")
        page = files.post(files.site.url("file_add"), target="archive/media 0", files=uploaded)
        check(page)
    for each in files.documents.find({}):
        check(files.file(each["_id"]))


def test_queries_take_no_operators(files: Files) -> None:
    """Text that looks like an operator is treated as text."""
    files.add("$ne")
    files.add("other")
    assert "other" not in files.get(q="$ne").text
    assert files.get(q='{"$gt": ""}').text.count("No matching files.") == 1
    assert files.get(type='{"$gt": ""}').text.count("No matching files.") == 1
    found = files.site.get(files.url() + "?q[$ne]=x&type[$gt]=")
    assert "2 files" in found.text
