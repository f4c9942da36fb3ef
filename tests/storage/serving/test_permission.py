"""The hook that a storage asks at every request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from djongo_services.connections import connections
from djongo_services.storage.bucket import StoredFile
from tests.storage.serving.site import Site

asked: list[tuple[str, str, StoredFile]] = []


def of_the_staff(request: HttpRequest, name: str, stored: StoredFile) -> bool:
    asked.append((request.headers.get("From", ""), name, stored))
    return request.headers.get("From") == "staff"


async def aof_the_staff(request: HttpRequest, name: str, stored: StoredFile) -> bool:
    await asyncio.sleep(0)
    return of_the_staff(request, name, stored)


class OfTheStaff:
    async def __call__(self, request: HttpRequest, name: str, stored: StoredFile) -> bool:
        return await aof_the_staff(request, name, stored)


@pytest.mark.parametrize(
    "hook",
    [
        of_the_staff,
        aof_the_staff,
        OfTheStaff(),
        f"{__name__}.of_the_staff",
        f"{__name__}.aof_the_staff",
    ],
)
def test_it_decides(each_site: Site, hook: Any) -> None:
    each_site.configure(permission=hook)
    stored = each_site.save("x/a", b"content")
    asked.clear()
    assert each_site.get("/media/x/a").status == 403
    assert each_site.get("/media/x/a", From="staff").body == b"content"
    assert each_site.request("HEAD", "/media/x/a").status == 403
    assert asked == [("", "x/a", stored), ("staff", "x/a", stored), ("", "x/a", stored)]


def test_it_is_asked_before_anything_is_told(each_site: Site) -> None:
    each_site.configure(permission=of_the_staff)
    each_site.save("a", b"content")
    etag = each_site.get("/media/a", From="staff").headers["ETag"]
    assert each_site.get("/media/a", If_None_Match=etag).status == 403
    assert each_site.get("/media/a", Range="bytes=99-").status == 403


def test_shared_caches_keep_nothing(each_site: Site) -> None:
    each_site.configure(permission=of_the_staff, cache_control="public, max-age=60")
    each_site.save("a", b"content")
    kept = each_site.get("/media/a", From="staff").headers["Cache-Control"]
    assert set(kept.split(", ")) == {"private", "max-age=60"}


@pytest.mark.parametrize(("error", "status"), [(Http404, 404), (PermissionDenied, 403)])
def test_it_may_refuse_in_its_own_way(each_site: Site, error: type[Exception], status: int) -> None:
    def hook(*asked: object) -> bool:
        raise error

    each_site.configure(permission=hook)
    each_site.save("a", b"content")
    assert each_site.get("/media/a").status == status


def test_a_signature_does_not_replace_it(each_site: Site) -> None:
    each_site.configure(permission=of_the_staff, private=True, base_url="/media/")
    each_site.save("a", b"content")
    url = each_site.storage.url("a")
    assert each_site.get(url).status == 403
    assert each_site.get(url, From="staff").status == 200
    assert each_site.get("/media/a", From="staff").status == 403


def test_a_plain_hook_may_block(each_site: Site) -> None:
    """As the ORM does, which refuses to run in a loop."""

    def hook(request: HttpRequest, name: str, stored: StoredFile) -> bool:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return each_site.bucket.files.count_documents({}) == 1

    each_site.configure(permission=hook)
    each_site.save("a", b"content")
    assert each_site.get("/media/a").status == 200


def test_an_async_hook_may_use_the_loop_s_client(each_site: Site) -> None:
    async def hook(request: HttpRequest, name: str, stored: StoredFile) -> bool:
        files = connections["default"].async_database["fs.files"]
        return await files.count_documents({}) == 1

    each_site.configure(permission=hook)
    each_site.save("a", b"content")
    assert [each_site.get("/media/a").status for _ in range(3)] == [200] * 3
