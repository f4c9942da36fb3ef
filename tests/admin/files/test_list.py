"""The list of a bucket's files, as it is clicked through."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bson import ObjectId
from django.contrib.admin.utils import quote

from djongo_services.admin.files import rows
from tests.admin.conftest import Page
from tests.admin.files.conftest import LONG_AGO, Files, png


def names(page: Page) -> list[str]:
    body = page.html.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = re.findall(r'(?s)<th scope="row">(.*?)</th>', body)
    return [re.sub(r"<[^>]*>", "", cell).strip() for cell in cells]


def walk(files: Files, **query: str) -> list[str]:
    """Through all pages by their links."""
    page = files.get(**query)
    found = names(page)
    while 'rel="next"' in page.html:
        page = files.site.get(files.url().partition("?")[0] + page.link("Next page"))
        assert page.status == 200
        found += names(page)
    return found


def test_files_and_where_they_lead(files: Files) -> None:
    old = files.add_old("2024/old.txt")
    new = files.add("2026/new.png", png(), "image/png")
    page = files.get()
    assert names(page) == ["2026/new.png", "2024/old.txt"]
    assert "2 files" in page.text
    assert page.link("2026/new.png") == files.file_url(new.id)
    assert f'src="{files.file_url(new.id, "raw")}"' in page.html
    assert files.file_url(old, "raw") not in page.html
    assert "image/png" in page.text
    assert f"{LONG_AGO:%Y-%m-%d %H:%M} UTC" in page.text
    assert page.link("Upload") == files.site.url("file_add") + "?to=archive%2Fmedia"


def test_of_a_large_picture_a_small_one_is_loaded(files: Files, monkeypatch: Any) -> None:
    stored = files.add("a.png", b"x" * 300_001, "image/png")
    assert f'src="{files.file_url(stored.id, "thumbnail")}"' in files.get().html
    monkeypatch.setattr(rows, "can_make_thumbnails", lambda: False)
    assert "<img" not in files.get().html


def test_pictures_that_are_large_or_active_are_not_loaded(files: Files) -> None:
    files.add("a.png", b"x" * 25_000_001, "image/png")
    files.add("b.svg", b"<svg/>", "image/svg+xml")
    files.add("c.png", b"", "image/png")
    files.add("d.html", b"<html>", "text/html")
    assert "<img" not in files.get().html


def test_pages_lead_to_the_next(files: Files) -> None:
    files.bucket.upload_many((f"{n:03}", b"") for n in range(230))
    everything = [f"{n:03}" for n in range(230)]
    assert sorted(walk(files)) == everything
    assert walk(files, o="name") == everything
    assert walk(files, q="1", o="oldest") == everything[100:200]
    first = files.get(o="name")
    second = files.site.get(files.url() + first.link("Next page"))
    assert "First page" not in first.html
    assert second.link("First page") == "?o=name"
    # Nothing is counted unless it is requested.
    assert "in all" not in second.text
    narrowed = files.get(q="1")
    assert "100 in all." in files.site.get(files.url() + narrowed.link("Count them")).text


def test_a_place_that_is_none_is_the_beginning(files: Files) -> None:
    files.add("a")
    for place in ("nonsense", "é" * 50, "AAAA"):
        assert names(files.get(p=place)) == ["a"]


def test_filters_stay_in_the_form_and_in_links(files: Files) -> None:
    files.bucket.upload_many(
        ((f"a/{n:03}.png", b"1") for n in range(120)), content_type="image/png"
    )
    files.add("a/b.txt", b"1", "text/plain")
    query = {"q": "a/", "type": "image/", "size": "tiny", "since": "2020-01-01"}
    page = files.get(**query)
    assert len(names(page)) == 100
    assert 'name="q" value="a/"' in page.html
    assert '<option value="image/" selected>' in page.html
    assert '<option value="tiny" selected>' in page.html
    assert 'name="since" value="2020-01-01"' in page.html
    assert len(walk(files, **query)) == 120
    assert page.link("All") == "?"
    assert "No matching files." in files.get(q="nothing").text


def test_a_checksum_is_searched_for(files: Files) -> None:
    stored = files.add("a.txt", b"one")
    files.add("b.txt", b"two")
    assert stored.sha256 is not None
    assert names(files.get(q=stored.sha256)) == ["a.txt"]
    assert names(files.get(q=stored.sha256.upper())) == ["a.txt"]
    assert names(files.get(q="0" * 64)) == []


def test_a_search_says_how_far_it_looked(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("djongo_services.admin.files.list_page.AT_ONCE", 50)
    files.add("first.txt", b"", "text/plain")
    files.bucket.upload_many((f"{n}", b"") for n in range(120))
    page = files.get(type="text/plain")
    assert names(page) == []
    assert "50 files were searched" in page.text
    assert "None of the searched files match." in page.text
    assert walk(files, type="text/plain") == ["first.txt"]
    patient = files.site.get(files.url() + page.link("or search all files"))
    assert names(patient) == ["first.txt"]


def test_the_trash(files: Files) -> None:
    gone = files.add_old("gone.txt")
    file = files.documents.find_one_and_delete({"_id": gone})
    entry = {"kind": "unreferenced", "trashedAt": LONG_AGO, "reason": "it is old"}
    files.trash.insert_many(
        [
            {"_id": gone, "file": file, **entry},
            {"_id": ObjectId(), "kind": "orphan-chunks", "trashedAt": LONG_AGO, "bytes": 1_500},
        ]
    )
    page = files.get(state="trash")
    assert names(page) == ["(without a name)", "gone.txt"]
    assert "unreferenced, since 2024-01-15 12:00 UTC: it is old" in page.text
    assert "1.5 kB" in page.text
    assert names(files.get(state="trash", q="gone")) == ["gone.txt"]
    assert names(files.get(state="trash", type="text/plain")) == ["gone.txt"]
    shown = files.file(gone)
    assert "in the trash since 2024-01-15 12:00 UTC, as unreferenced" in shown.text
    assert "it is old" in shown.text
    (chunks,) = [each["_id"] for each in files.trash.find({"kind": "orphan-chunks"})]
    assert "1.5 kB" in files.file(chunks).text


def test_without_the_index_on_names(files: Files) -> None:
    files.add("b")
    files.add("a")
    files.documents.drop_indexes()
    page = files.get(o="name")
    assert "lacks the index on filename and uploadDate" in page.text
    assert names(page) == ["a", "b"]
    assert names(files.get(q="b")) == ["b"]


def test_what_no_dry_run_has_told(files: Files) -> None:
    files.add("a")
    for state in ("unreferenced", "broken", "superseded"):
        page = files.get(state=state)
        assert "No scan yet" in page.text
        assert page.link("Collector") == files.url("collector")


MISSING_PAGES = [
    "archive/files/",
    "unknown_2Fmedia/files/",
    "archive_2Fmedia_2F7/change/",
    f"archive_2Fmedia_2F{ObjectId()}/change/",
    f"archive_2Fmedia_2F{ObjectId()}/raw/",
    f"archive_2Fmedia_2F{ObjectId()}/download/",
    f"archive_2Fmedia_2F{ObjectId()}/delete/",
    f"archive_2Fmedia_2F{ObjectId()}/files/",
    "archive_2Fmedia/raw/",
    "archive_2Fmedia/rename/",
]


def test_what_is_not_there_is_not_found(files: Files) -> None:
    for path in MISSING_PAGES:
        page = files.site.get(f"/admin/djongo_services/file/{path}")
        assert page.status == 404, path


def test_short_addresses_lead_on(files: Files) -> None:
    stored: Any = files.add("a")
    for key, url in (
        ("archive/media", files.url()),
        (f"archive/media/{stored.id}", files.file_url(stored.id)),
    ):
        page = files.site.get(f"/admin/djongo_services/file/{quote(key)}/")
        assert (page.status, page.location) == (302, url)
    # The admin's log links to objects so.
    assert files.site.get(files.url("change")).location == files.url()
