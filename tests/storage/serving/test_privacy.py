"""A public storage does not give away what a private one has in the same bucket."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.urls import include, path

from djongo_services.storage import GridFSStorage
from djongo_services.storage.serving import urlpatterns_for
from tests.storage.serving.site import Site

BACKEND = "djongo_services.storage.GridFSStorage"


def nobody(*args: Any) -> bool:
    return False


NOT_PUBLIC = [{"private": True}, {"permission": "tests.storage.serving.test_privacy.nobody"}]


def serve(site: Site, public: dict[str, Any], private: dict[str, Any]) -> GridFSStorage:
    """Below /media/ and /private/; the second one's storage."""
    entries = {"default": public, "private": {"base_url": "/private/", **private}}
    site.settings.STORAGES = {
        **site.settings.STORAGES,
        **{alias: {"BACKEND": BACKEND, "OPTIONS": each} for alias, each in entries.items()},
    }
    site.serve(
        path("media/", include(urlpatterns_for("default"))),
        path("private/", include(urlpatterns_for("private"))),
    )
    found: Any = storages["private"]
    return found


def found_by_check() -> list[Any]:
    return [each for each in run_checks(tags=["files"]) if each.id == "djongo_services.E022"]


@pytest.mark.parametrize("options", NOT_PUBLIC, ids=lambda each: next(iter(each)))
def test_a_location_inside_of_it(each_site: Site, options: dict[str, Any]) -> None:
    private = serve(each_site, {}, {"location": "secret", **options})
    private.save("a.txt", ContentFile(b"secret"))
    each_site.save("a.txt", b"public")
    each_site.save("secrets.txt", b"public")
    assert each_site.get("/media/secret/a.txt").status == 403
    assert each_site.get("/media/secret/b.txt").status == 403
    assert each_site.get("/media/a.txt").body == b"public"
    assert each_site.get("/media/secrets.txt").body == b"public"
    if "private" in options:
        assert each_site.get(private.url("a.txt")).body == b"secret"
    (found,) = found_by_check()
    assert found.msg == (
        'STORAGES["default"] is public, and the files of STORAGES["private"], which is not, are '
        "in its location: fs/secret/ is in fs/."
    )


def test_the_same_location(each_site: Site) -> None:
    """Which of the two storages a file belongs to cannot be known."""
    private = serve(each_site, {"location": "media"}, {"location": "media", "private": True})
    private.save("a.txt", ContentFile(b"secret"))
    assert each_site.get("/media/a.txt").status == 403
    assert each_site.get(private.url("a.txt")).body == b"secret"
    assert len(found_by_check()) == 1


@pytest.mark.parametrize(
    ("public", "private"),
    [
        ({"location": "public"}, {"location": "secret"}),
        ({"location": "public"}, {"location": ""}),
        ({"location": "media"}, {"location": "media2"}),
        ({"bucket": "media"}, {"bucket": "secret"}),
    ],
    ids=str,
)
def test_locations_that_are_apart(
    each_site: Site, public: dict[str, Any], private: dict[str, Any]
) -> None:
    serve(each_site, public, {"private": True, **private})
    each_site.save("a.txt", b"public")
    assert each_site.get("/media/a.txt").body == b"public"
    assert found_by_check() == []


def test_two_private_ones(each_site: Site) -> None:
    serve(each_site, {"private": True}, {"location": "secret", "private": True})
    assert found_by_check() == []
