"""A model's file in the form of an object: what it is, and its preview."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.admin.conftest import Page
from tests.admin.files.conftest import Files, png
from tests.admin.markup import Markup


def form(files: Files, picture: Any) -> Page:
    return files.site.get(reverse("admin:gallery_picture_change", args=[picture.pk]))


def test_a_picture(files: Files, new_picture: Callable[..., Any]) -> None:
    stored = files.add("pictures/a.png", png(), "image/png")
    page = form(files, new_picture("one", "a.png"))
    assert page.status == 200
    assert page.link("a.png") == files.file_url(stored.id)
    assert f"image/png · {len(png())} B · " in page.text
    assert stored.sha256 is not None
    assert stored.sha256 in page.text
    assert "The image a.png" in page.html
    (preview,) = [link for link in Markup(page.html).links if "/signed/" in link]
    assert files.site.client.get(preview).content == png()
    assert "djongo_services/admin/files.css" in page.html
    assert Markup(page.html).refused == []


OTHERS = [
    ("a.mp3", "audio/mpeg", "<audio "),
    ("a.mp4", "video/mp4", "<video "),
    ("a.svg", "image/svg+xml", ">SVG<"),
    ("a.pdf", "application/pdf", ">PDF<"),
    ("a.<b>", "text/html", ">HTML<"),
]


def test_other_types(files: Files, new_picture: Callable[..., Any]) -> None:
    for name, kind, shown in OTHERS:
        files.add(f"pictures/{name}", b"x", kind)
        html = form(files, new_picture("one", name)).html
        assert shown in html
        assert ("/signed/" in html) == (kind[:5] in ("audio", "video"))


def test_without_a_file_or_with_one_that_is_gone(
    files: Files, new_picture: Callable[..., Any]
) -> None:
    assert "mongo-widget" not in form(files, new_picture("none", "")).html
    page = form(files, new_picture("gone", "gone.png"))
    assert "There is no file 'gone.png' in the storage." in page.text


def test_it_is_replaced_and_cleared(files: Files, new_picture: Callable[..., Any]) -> None:
    files.add("pictures/a.png", png(), "image/png")
    picture = new_picture("one", "a.png")
    url = reverse("admin:gallery_picture_change", args=[picture.pk])
    new = SimpleUploadedFile("b.png", png(9, 9), "image/png")
    files.post(url, title="one", image=new)
    picture.refresh_from_db()
    assert picture.image.name == "b.png"
    cleared: dict[str, Any] = {"image-clear": "on"}
    files.post(url, title="one", **cleared)
    picture.refresh_from_db()
    assert not picture.image
    # What is wrong elsewhere in the form does not break it.
    assert files.post(url, title="", image=new).status == 200


def test_a_server_that_is_down(
    files: Files, new_picture: Callable[..., Any], connect: Callable[..., None]
) -> None:
    picture = new_picture("one", "a.png")
    connect({"ADMIN": {"TIMEOUT": 6}}, archive={"HOST": "mongodb://127.0.0.1:9/", "NAME": "x"})
    page = form(files, picture)
    assert page.status == 200
    assert "cannot be reached" in page.text


def test_on_another_site(files: Files) -> None:
    from djongo_services.admin import GridFSFileWidget
    from tests.admin.files.gallery.models import Picture

    files.add("pictures/a.png", png(), "image/png")
    picture = Picture(title="one", image="a.png")
    html = GridFSFileWidget(site="other").render("image", picture.image)
    assert "a.png" in html
    beside = Picture(title="one")
    beside.beside = "x.png"
    assert "mongo-widget" in GridFSFileWidget().render("beside", beside.beside)


def test_other_storages_keep_the_admins_own(files: Files) -> None:
    from django.core.files.storage import InMemoryStorage
    from django.db.models.fields.files import FieldFile

    from djongo_services.admin import GridFSFileWidget
    from tests.admin.files.gallery.models import Picture

    field = Picture._meta.get_field("image")
    value = FieldFile(Picture(), field, "a.png")
    value.storage = InMemoryStorage(base_url="/elsewhere/")
    html = GridFSFileWidget().render("image", value)
    assert "mongo-widget" not in html
    assert 'href="/elsewhere/a.png"' in html
