"""Uploads as forms see them: read, checked, refused, thrown away."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

import pytest
from django import forms
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from PIL import Image

from djongo_services.storage.uploads import GridFSUploadedFile, RefusedFile, TooLarge
from tests.storage.uploads.conftest import HANDLER, NOTHING, Site, calling

KB = 1024


class PhotoForm(forms.Form):
    title = forms.CharField(max_length=5)
    file = forms.FileField(max_length=20)


class MultipleInput(forms.ClearableFileInput):
    allow_multiple_selected = True


def filling(form_class: type[forms.Form], site: Site) -> Any:
    """The view of every tutorial: errors as JSON, or the file saved."""

    def work(request: Any) -> HttpResponse:
        form = form_class(request.POST, request.FILES)
        if not form.is_valid():
            return HttpResponse(form.errors.as_json(), "application/json", status=422)
        uploaded = form.cleaned_data["file"]
        return HttpResponse(site.storage.save(uploaded.name, uploaded))

    return calling(work)


def test_a_valid_form(site: Site) -> None:
    site.serve(filling(PhotoForm, site))
    answer = site.post_form({"title": "short", "file": _file("a.png", b"x" * 600 * KB)})
    assert answer.content == b"a.png"
    assert site.counts == {"files": 1, "chunks": 3, "uploads": 0}


def test_an_invalid_form_leaves_nothing(each_site: Site) -> None:
    each_site.serve(filling(PhotoForm, each_site))
    answer = each_site.post_form({"title": "too long", "file": _file("a.png", b"x" * 600 * KB)})
    assert answer.status_code == 422
    assert each_site.counts == NOTHING


def test_a_view_that_raises_leaves_nothing(each_site: Site) -> None:
    def work(request: Any) -> None:
        assert request.FILES["file"].size == 600 * KB
        raise RuntimeError

    each_site.serve(calling(work))
    assert each_site.post(("a.png", b"x" * 600 * KB)).status_code == 500
    assert each_site.counts == NOTHING


def test_an_empty_file_and_a_long_name_get_djangos_own_errors(site: Site) -> None:
    site.serve(filling(PhotoForm, site))
    empty = site.post_form({"title": "short", "file": _file("a.png", b"")})
    assert b"The submitted file is empty." in empty.content
    long = site.post_form({"title": "short", "file": _file("a" * 30, b"abc")})
    assert b"at most 20 characters" in long.content
    assert site.counts == NOTHING


def test_an_image_field_looks_into_it(site: Site) -> None:
    class ImageForm(forms.Form):
        file = forms.ImageField()

    site.serve(filling(ImageForm, site))
    picture = io.BytesIO()
    Image.effect_noise((900, 900), 80).save(picture, "PNG")
    assert site.post(("a.png", picture.getvalue())).content == b"a.png"
    assert b"either not an image or a corrupted image" in site.post(("b.png", b"no image")).content
    with site.storage.open("a.png") as file:
        assert file.read() == picture.getvalue()
    assert site.count("files") == 1
    assert site.count("uploads") == 0


def test_it_is_read_as_any_uploaded_file(site: Site) -> None:
    content = os.urandom(700 * KB) + b"\nlast line"

    def work(request: Any) -> None:
        file = request.FILES["file"]
        assert isinstance(file, GridFSUploadedFile)
        assert (file.name, file.size, file.content_type) == ("a.png", len(content), "image/png")
        assert (file.field_name, file.charset, bool(file)) == ("file", None, True)
        assert file.multiple_chunks()
        assert file.read(10) == content[:10]
        file.seek(-9, os.SEEK_END)
        assert file.read() == b"last line"
        assert b"".join(file.chunks()) == content
        assert b"".join(file.chunks(100_000)) == content
        assert b"".join(file) == content
        file.file.close()  # as libraries do with what they were given
        assert file.open().read() == content
        file.close()
        with pytest.raises(ValueError, match="is closed, and was not kept"):
            file.open()

    site.serve(calling(work))
    assert site.post(("a.png", content)).content == b"done"
    assert site.counts == NOTHING


def test_as_text(site: Site) -> None:
    rows: list[list[str]] = []

    def work(request: Any) -> None:
        rows.extend(csv.reader(io.TextIOWrapper(request.FILES["file"].file, "utf-8")))
        assert site.storage.save("a.csv", request.FILES["file"]) == "a.csv"

    site.serve(calling(work))
    assert site.post(("a.csv", "größe,2\nz,3\n".encode())).content == b"done"
    assert rows == [["größe", "2"], ["z", "3"]]
    assert site.counts == {"files": 1, "chunks": 1, "uploads": 0}


def test_what_the_first_bytes_show(site: Site) -> None:
    shown: list[tuple[str, str]] = []

    def work(request: Any) -> None:
        for file in request.FILES.getlist("file"):
            shown.append((file.content_type, file.sniffed_type))
            site.storage.save(file.name, file)

    site.configure(content_type="content")
    site.serve(calling(work))
    html = b"<!DOCTYPE html><html><script>alert(1)</script></html>"
    gif = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
    assert site.post(("a.png", html), ("b.png", gif), ("c.png", b"plain")).content == b"done"
    unknown = "application/octet-stream"
    assert shown[1:] == [("image/png", "image/gif"), ("image/png", unknown)]
    assert shown[0][0] == "image/png"
    assert shown[0][1] != "image/png"
    assert site.storage.stored("b.png").content_type == "image/gif"
    assert site.storage.stored("c.png").content_type == unknown


def test_a_file_that_is_too_large_is_an_error_of_its_field(each_site: Site) -> None:
    each_site.limit(MAX_SIZE=100 * KB)
    each_site.serve(filling(PhotoForm, each_site))
    fits = {"title": "short", "file": _file("a.png", b"x" * 100 * KB)}
    assert each_site.post_form(fits).content == b"a.png"
    answer = each_site.post_form({"title": "short", "file": _file("b.png", b"x" * 5_000 * KB)})
    assert answer.status_code == 422
    assert answer.json() == {
        "file": [
            {
                "message": "This file is larger than 100.0\xa0KB, the most that a file may have.",
                "code": "too_large",
            }
        ]
    }
    assert each_site.counts == {"files": 1, "chunks": 1, "uploads": 0}


DJANGOS = "django.core.files.uploadhandler"


@pytest.mark.parametrize("first", ["MemoryFileUploadHandler", "TemporaryFileUploadHandler"])
def test_files_that_another_handler_takes(
    each_site: Site, first: str, settings: Any, tmp_path: Any
) -> None:
    """The limits apply to the request, whichever handler keeps its files."""
    settings.FILE_UPLOAD_HANDLERS = [f"{DJANGOS}.{first}", HANDLER]
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    each_site.limit(MAX_SIZE=100 * KB, MAX_TOTAL=150 * KB)
    each_site.serve(filling(PhotoForm, each_site))
    fits = {"title": "short", "file": _file("a.png", b"x" * 100 * KB)}
    assert each_site.post_form(fits).content == b"a.png"
    for size in (101 * KB, 1_000 * KB):
        answer = each_site.post_form({"title": "short", "file": _file("b.png", b"x" * size)})
        assert answer.status_code == 422
        assert answer.json()["file"][0]["code"] == "too_large"
    both = [_file("c.png", b"x" * 100 * KB), _file("d.png", b"x" * 100 * KB)]
    answer = each_site.post_form({"title": "short", "file": both})
    assert "together" in answer.json()["file"][0]["message"]
    assert each_site.counts == {"files": 1, "chunks": 1, "uploads": 0}
    assert list(tmp_path.iterdir()) == []


def test_files_that_another_handler_takes_and_a_view_reads(site: Site, settings: Any) -> None:
    settings.FILE_UPLOAD_HANDLERS = [f"{DJANGOS}.MemoryFileUploadHandler", HANDLER]
    site.limit(MAX_SIZE=10)
    seen: list[Any] = []

    def work(request: Any) -> HttpResponse:
        seen.extend(request.FILES.getlist("file"))
        return HttpResponse(request.POST["title"])

    site.serve(calling(work))
    sent = [_file("a.png", b"x" * 11), _file("b.png", b"x" * 10), _file("c.png", b"x" * 11)]
    assert site.post_form({"title": "still", "file": sent}).content == b"still"
    assert [type(each).__name__ for each in seen] == [
        "RefusedFile",
        "InMemoryUploadedFile",
        "RefusedFile",
    ]
    assert (seen[0].name, seen[0].content_type) == ("a.png", "image/png")
    with pytest.raises(TooLarge):
        seen[0].read()


def test_files_that_are_too_large_together(site: Site) -> None:
    class ManyField(forms.FileField):
        widget = MultipleInput

        def clean(self, data: Any, initial: Any = None) -> Any:
            return [super(ManyField, self).clean(each, initial) for each in data]

    class ManyForm(forms.Form):
        file = ManyField()

    site.limit(MAX_TOTAL=500 * KB)
    kinds: list[str] = []

    def work(request: Any) -> HttpResponse:
        kinds.extend(type(each).__name__ for each in request.FILES.getlist("file"))
        form = ManyForm(request.POST, request.FILES)
        return HttpResponse("valid" if form.is_valid() else form.errors["file"][0])

    site.serve(calling(work))
    few = [_file("a.png", b"x" * 250 * KB), _file("b.png", b"x" * 250 * KB)]
    assert site.post_form({"file": few}).content == b"valid"
    few = [_file("a.png", b"x" * 250 * KB), _file("b.png", b"x" * 250 * KB)]
    answer = site.post_form({"file": [*few, _file("c.png", b"x")]})
    assert answer.content.decode() == (
        "The files are larger than 500.0\xa0KB together, the most that may be sent at once."
    )
    assert kinds[2:] == ["GridFSUploadedFile", "GridFSUploadedFile", "RefusedFile"]
    assert site.counts == NOTHING


def test_a_view_without_a_form_answers_400(site: Site, caplog: Any) -> None:
    site.limit(MAX_SIZE=10)
    site.serve(calling(lambda request: site.storage.save("a", request.FILES["file"]) and None))
    assert site.post(("a.png", b"x" * 11)).status_code == 400
    assert "This file is larger than 10\xa0bytes, the most that a file may have." in caplog.text
    assert site.counts == NOTHING


def test_what_is_too_large_is_thrown_away_at_once(site: Site) -> None:
    site.limit(MAX_SIZE=3_000 * KB)
    counts: list[dict[str, int]] = []
    site.serve(calling(lambda request: request.FILES and counts.append(site.counts)))
    assert site.post(("a.png", b"x" * 6_000 * KB)).content == b"done"
    assert counts == [NOTHING]


def test_a_view_that_does_not_look_at_it_goes_on(site: Site) -> None:
    site.limit(MAX_SIZE=10)
    seen: list[Any] = []

    def work(request: Any) -> HttpResponse:
        seen.append(request.FILES["file"])
        return HttpResponse(request.POST["title"])

    site.serve(calling(work))
    answer = site.post_form({"file": _file("a.png", b"x" * 11), "title": "still"})
    assert answer.content == b"still"
    refused = seen[0]
    assert isinstance(refused, RefusedFile)
    assert (refused.name, refused.content_type, bool(refused)) == ("a.png", "image/png", True)
    for use in (
        lambda: refused.size,
        lambda: refused.read(),
        lambda: refused.open().read(),
        lambda: list(refused.chunks()),
        lambda: list(refused),
    ):
        with pytest.raises(TooLarge) as error:
            use()
        assert error.value.limit == 10


def _file(name: str, content: bytes) -> Any:
    return SimpleUploadedFile(name, content, "image/png")
