"""How many commands a page about files takes, however many files there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.admin.files.conftest import Files, png
from tests.introspection.test_catalog_trips import Listener
from tests.transaction.conftest import entry

PING = Counter({"ping": 1})


@pytest.fixture
def commands(files: Files, connect: Callable[..., None]) -> Callable[[str], Counter[str]]:
    """The commands of one visit, except those of the ORM and those for connecting."""
    listener = Listener()
    connect(archive=entry(files.site.database, event_listeners=[listener]))

    def visit(url: str) -> Counter[str]:
        assert files.site.get(url).status == 200
        listener.counts.clear()
        assert files.site.get(url).status == 200
        return listener.counts - Counter({"endSessions": listener.counts["endSessions"]})

    return visit


def test_the_overview(files: Files, commands: Any) -> None:
    overview = files.site.url("file_changelist")
    known = PING + Counter({"listCollections": 2, "aggregate": 1})
    assert commands(overview) == known
    for number in range(25):
        Files(files.site, f"b{number:02}").add("a")
    # The sizes of all by one, the known totals by one, and of each of the page its own.
    assert commands(overview) == known + Counter({"aggregate": 1 + 20})
    # None is counted that is not small.


def test_lists(files: Files, commands: Any) -> None:
    one_page = PING + Counter({"listIndexes": 1, "find": 1, "count": 1, "aggregate": 2})
    for number in (3, 500):
        files.bucket.upload_many((f"{number}/{n}", b"") for n in range(number))
        assert commands(files.url()) == one_page
        assert commands(files.url(o="name")) == one_page
        in_trash = one_page - Counter({"aggregate": 1})
        assert commands(files.url(state="trash")) == in_trash
        # How far is looked, and what is there.
        assert commands(files.url(type="image/", size="tiny")) == one_page + Counter({"find": 1})
        assert commands(files.url(state="broken")) == PING + Counter({"find": 1})


def test_a_file(files: Files, commands: Any, new_picture: Callable[..., Any]) -> None:
    stored = files.add("pictures/a.txt", b"x" * 2_000_000, "text/plain")
    for number in range(30):
        new_picture(f"{number}", "a.txt")
    found = commands(files.file_url(stored.id))
    # The document, its revisions, the beginning of it, and how many chunks there are. For what the
    # collector thinks of it: the time, how large the bucket is, the newest of the name, its chunks.
    assert found == PING + Counter({"find": 5, "aggregate": 3, "hello": 1})


def test_other_pages(files: Files, commands: Any) -> None:
    stored = files.add("a.png", png(), "image/png")
    assert commands(files.file_url(stored.id, "raw")) == PING + Counter({"find": 2})
    assert commands(files.url("totals")) == PING + Counter({"listCollections": 1, "aggregate": 3})
    assert commands(files.url("collector")) == PING + Counter({"find": 2, "aggregate": 2})
    assert commands(files.site.url("file_add") + "?to=archive/media") == PING + Counter(
        {"listCollections": 1}
    )
    assert commands(files.file_url(stored.id, "delete")) == PING + Counter({"find": 1})
