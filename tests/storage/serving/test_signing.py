"""Private storages and their links."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core import signing
from django.core.exceptions import PermissionDenied

from djongo_services.storage import GridFSStorage
from djongo_services.storage.serving import signed_url
from djongo_services.storage.serving.signing import check_signature
from tests.storage.serving.site import Site


@pytest.fixture
def private(each_site: Site) -> Site:
    each_site.configure(private=True, url_expires=300, base_url="/media/")
    each_site.save("2024/a b.txt", b"content")
    return each_site


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock of Django's signer forward."""
    now = time.time()

    def passed(seconds: float) -> None:
        clock = SimpleNamespace(time=lambda: now + seconds)
        monkeypatch.setattr(signing, "time", clock)

    passed(0)
    return passed


def test_its_urls_are_served(private: Site) -> None:
    url = private.storage.url("2024/a b.txt")
    assert url.startswith("/media/2024/a%20b.txt?signature=300:")
    answer = private.get(url)
    assert (answer.status, answer.body) == (200, b"content")
    assert private.request("HEAD", url).status == 200


def test_no_cache_keeps_them(private: Site) -> None:
    kept = private.get(private.storage.url("2024/a b.txt")).headers["Cache-Control"]
    assert set(kept.split(", ")) == {"no-store", "private"}


@pytest.mark.parametrize("name", ["2024/a%20b.txt", "missing"])
def test_without_a_signature_nothing_is_told(private: Site, name: str) -> None:
    """Not even whether the file exists: it is not looked up."""
    with private.commands() as sent:
        assert private.get(f"/media/{name}").status == 403
    assert sent == []


def test_what_is_no_signature(private: Site) -> None:
    url = private.storage.url("2024/a b.txt")
    plain, _, signature = url.partition("?signature=")
    seconds, time, sealed = signature.split(":")
    others = [
        "",
        "x",
        signature[:-1],
        signature + "x",
        f"301:{time}:{sealed}",
        f"0300:{time}:{sealed}",
        f"-300:{time}:{sealed}",
        f"{'9' * 5000}:{time}:{sealed}",
        f"{seconds}:1:{sealed}",
        f"{seconds}:{'z' * 12}:{sealed}",
        f"{seconds}::{sealed}",
        f"{seconds}:{time}:{sealed[::-1]}",
        f"{signature}%00",
        "%FF%FE",
        f"{signature}&signature=x",
    ]
    assert {private.get(f"{plain}?signature={other}").status for other in others} == {403}


def test_a_name_that_cannot_be_signed(site: Site) -> None:
    """Django's views get none, whatever a server passes on."""
    site.configure(private=True, base_url="/media/")
    with pytest.raises(PermissionDenied):
        check_signature(site.storage, "\ud800", "300:1abc:def")


def test_a_signature_is_of_one_name(private: Site) -> None:
    private.save("b.txt", b"other content")
    signature = private.storage.url("2024/a b.txt").partition("?")[2]
    assert private.get(f"/media/b.txt?{signature}").status == 403
    assert private.get(f"/media/2024/./a%20b.txt?{signature}").status == 404


@pytest.mark.parametrize("other", [{"location": "x"}, {"bucket": "x"}])
def test_a_signature_is_of_one_storage(private: Site, other: dict[str, str]) -> None:
    elsewhere = GridFSStorage(private=True, base_url="/media/", **other)
    assert private.get(elsewhere.url("2024/a b.txt")).status == 403


def test_a_link_expires(private: Site, pass_time: Callable[[float], None]) -> None:
    url = private.storage.url("2024/a b.txt")
    pass_time(299)
    assert private.get(url).status == 200
    pass_time(302)
    assert private.get(url).status == 403


@pytest.mark.parametrize("expires", [10, timedelta(seconds=10)])
def test_a_link_of_its_own_time(
    private: Site, pass_time: Callable[[float], None], expires: int | timedelta
) -> None:
    url = signed_url(private.storage, "2024/a b.txt", expires=expires)
    assert private.get(url).status == 200
    pass_time(12)
    assert private.get(url).status == 403


@pytest.mark.parametrize("expires", [0, -1, timedelta(), 10**10])
def test_times_that_are_none(site: Site, expires: Any) -> None:
    with pytest.raises(ValueError, match="A link expires after some seconds, not after "):
        signed_url(site.storage, "a", expires=expires)


def test_the_key_can_be_rotated(private: Site, settings: Any) -> None:
    url = private.storage.url("2024/a b.txt")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["tests"]
    assert private.get(url).status == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert private.get(url).status == 403


def test_a_public_storage_serves_signed_links_too(each_site: Site) -> None:
    each_site.save("a", b"content")
    each_site.configure(base_url="/media/")
    assert each_site.get(signed_url(each_site.storage, "a", expires=5)).status == 200
    assert each_site.get("/media/a?signature=x").status == 200


@pytest.mark.parametrize("name", ["a?b#c.txt", "a%41.txt", "a&signature=x", "à:b.txt", "x/+ y.txt"])
def test_names_that_urls_must_quote(site: Site, name: str) -> None:
    site.configure(private=True, base_url="/media/")
    site.bucket.upload(name, b"content")
    assert site.get(site.storage.url(name)).body == b"content"


def test_a_storage_without_urls(site: Site, settings: Any) -> None:
    settings.MEDIA_URL = None
    with pytest.raises(ValueError, match="has no base_url"):
        signed_url(site.storage, "a")
