"""A project's function that is called with the progress of uploads."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadhandler import SkipFile, StopUpload
from django.http import HttpResponse

from djongo_services.storage.uploads import GridFSUploadHandler, UploadProgress, progress
from tests.storage.uploads.conftest import NOTHING, Site, calling

MB = 1024 * 1024
seen: list[tuple[Any, UploadProgress]] = []


def hook(request: Any, reported: UploadProgress) -> None:
    seen.append((request, reported))


async def async_hook(request: Any, reported: UploadProgress) -> None: ...


@pytest.fixture
def watched(site: Site, monkeypatch: Any) -> Site:
    """Everything is reported, however fast it comes."""
    seen.clear()
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    site.limit(PROGRESS=f"{__name__}.hook")
    site.serve(calling(lambda request: HttpResponse(str(len(request.FILES)))))
    return site


def test_the_bytes_of_each_file_so_far(watched: Site) -> None:
    watched.post(("a.png", b"x" * MB), ("b.png", b"y" * 10), QUERY_STRING="upload=7")
    assert all(request.GET["upload"] == "7" for request, _ in seen)
    first = [each for _, each in seen if each.filename == "a.png"]
    second = [each for _, each in seen if each.filename == "b.png"]
    assert len({each.id for each in first}) == len({each.id for each in second}) == 1
    assert {each.field_name for _, each in seen} == {"file"}
    received = [each.received for each in first]
    assert received == sorted(received)
    assert (received[0], received[-1]) == (0, MB)
    assert len(received) >= 5
    assert [each.finished for each in first] == [False] * (len(first) - 1) + [True]
    assert [each.received for each in second] == [0, 10, 10]
    assert [each.request_received for each in second] == [MB, MB + 10, MB + 10]
    (length,) = {each.content_length for _, each in seen}
    assert MB + 10 < length < MB + 1000


def test_chunks_are_stored_while_the_request_arrives(watched: Site, monkeypatch: Any) -> None:
    stored: list[int] = []
    monkeypatch.setattr(
        f"{__name__}.hook", lambda request, reported: stored.append(watched.count("chunks"))
    )
    watched.post(("a.png", b"x" * 6 * MB))
    assert stored == sorted(stored)
    assert (stored[0], stored[-1]) == (0, 24)
    assert {8, 16} <= set(stored)


def test_not_more_often_than_anybody_could_look(watched: Site, monkeypatch: Any) -> None:
    monkeypatch.setattr(progress, "SECONDS", 3600.0)
    watched.post(("a.png", b"x" * 3 * MB))
    assert [(each.received, each.finished) for _, each in seen] == [(0, False), (3 * MB, True)]


def test_it_may_skip_a_file(watched: Site, monkeypatch: Any) -> None:
    def no_second(request: Any, reported: UploadProgress) -> None:
        if reported.filename == "b.png" and reported.received > at:
            raise SkipFile

    monkeypatch.setattr(f"{__name__}.hook", no_second)
    names: list[list[str]] = []
    watched.serve(
        calling(lambda request: names.append([f.name for f in request.FILES.getlist("file")]))
    )
    for at in (-1, 0, 2 * MB - 1):  # noqa: B007  (the hook looks at it)
        files = [(name, b"x" * 2 * MB) for name in ("a.png", "b.png", "c.png")]
        assert watched.post(*files).content == b"done"
    assert names == [["a.png", "c.png"]] * 3
    assert watched.counts == NOTHING


def test_it_may_stop_the_upload(watched: Site, monkeypatch: Any) -> None:
    def stop(request: Any, reported: UploadProgress) -> None:
        if reported.request_received > 3 * MB:
            raise StopUpload(connection_reset=False)

    monkeypatch.setattr(f"{__name__}.hook", stop)
    counts: list[dict[str, int]] = []
    watched.serve(calling(lambda request: request.FILES and counts.append(watched.counts)))
    assert watched.post(("a.png", b"x" * 2 * MB), ("b.png", b"x" * 3 * MB)).content == b"done"
    assert counts == [{"files": 0, "chunks": 9, "uploads": 1}]
    assert watched.counts == NOTHING


def test_a_broken_hook_breaks_nothing(watched: Site, monkeypatch: Any, caplog: Any) -> None:
    calls: list[int] = []

    def broken(request: Any, reported: UploadProgress) -> None:
        calls.append(1)
        raise RuntimeError("the cache is down")

    monkeypatch.setattr(f"{__name__}.hook", broken)
    assert watched.post(("a.png", b"x" * MB)).content == b"1"
    assert calls == [1]
    assert "the cache is down" in caplog.text


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("tests.nowhere.hook", "No module named 'tests.nowhere'."),
        (f"{__name__}.async_hook", "must be a plain function"),
        (f"{__name__}.seen", "must be a plain function"),
    ],
)
def test_what_is_no_hook_is_refused(site: Site, path: str, sentence: str) -> None:
    site.limit(PROGRESS=path)
    with pytest.raises(ImproperlyConfigured) as refusal:
        GridFSUploadHandler()
    assert str(refusal.value).startswith('DJONGO_SERVICES["STORAGE"]["UPLOADS"]["PROGRESS"]: ')
    assert sentence in str(refusal.value)
