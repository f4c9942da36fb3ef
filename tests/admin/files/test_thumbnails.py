"""Small pictures of images, whatever is in them."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zlib
from typing import Any

import pytest
from PIL import Image

from djongo_services.admin.files import pictures, previews, raw
from djongo_services.admin.files.pictures import MAX_PIXELS
from djongo_services.admin.files.previews import NoThumbnail, thumbnail
from djongo_services.storage import GridFSStorage
from tests.admin.files.conftest import Files, png

TEAL = (0, 128, 128)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


def teal(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), TEAL)


def noise(width: int, height: int) -> bytes:
    """A large PNG."""
    data = random.Random(0).randbytes(width * height * 3)
    return encoded(Image.frombytes("RGB", (width, height), data), "PNG")


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def small(data: bytes) -> Image.Image:
    found = opened(thumbnail(io.BytesIO(data)))
    assert found.format == "PNG"
    return found


@pytest.mark.parametrize("format", ["AVIF", "BMP", "GIF", "JPEG", "PNG", "WEBP"])
def test_every_format_that_browsers_show(format: str) -> None:
    found = small(encoded(teal(1000, 500), format))
    assert found.size == (144, 72)
    pixel: Any = found.convert("RGB").getpixel((70, 30))
    assert all(abs(one - other) < 8 for one, other in zip(pixel, TEAL, strict=True))


def test_a_small_one_stays_as_large_as_it_is() -> None:
    assert small(png(10, 20)).size == (10, 20)


def test_it_is_turned_as_the_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert small(encoded(teal(1000, 500), "JPEG", exif=exif)).size == (72, 144)


def test_what_is_transparent_stays_transparent() -> None:
    for format in ("PNG", "GIF", "WEBP"):
        clear = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
        pixel: Any = small(encoded(clear, format)).getpixel((9, 9))
        assert pixel[3] == 0


def test_photos_of_any_camera() -> None:
    photo = encoded(teal(8000, 6000), "JPEG")
    assert small(photo).size == (144, 108)
    tracemalloc.start()
    try:
        thumbnail(io.BytesIO(photo))
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))


def in_several_scans(width: int, height: int, *, before: bytes = b"") -> bytes:
    """A sequential JPEG in which each component has a separate scan, made from a grey one."""
    grey = encoded(Image.new("L", (width, height), 100), "JPEG")
    frame, scan = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    size = grey[frame + 5 : frame + 9]
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    color = b"\xff\xc0" + struct.pack(">HB", 17, 8) + size + b"\x03" + components
    after = grey[frame + 2 + struct.unpack(">H", grey[frame + 2 : frame + 4])[0] : scan]
    data = grey[scan + 10 : -2]
    scans = b"".join(
        b"\xff\xda" + struct.pack(">HBBB", 8, 1, number, 0) + b"\0\x3f\0" + data
        for number in (1, 2, 3)
    )
    return grey[:frame] + before + color + after + scans + b"\xff\xd9"


def avif(width: int, height: int, says: tuple[int, int] | None = None) -> bytes:
    """``says`` is the size in its header; the frame in it has the other one."""
    data = encoded(teal(width, height), "AVIF", speed=10)
    if says is None:
        return data
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", *says) + data[at + 8 :]


SIDE = int(MAX_PIXELS**0.5)
COMMENT = b"\xff\xfe" + struct.pack(">H", 6) + b"\xff\xc0\xff\xda"
"""Bytes that look like a frame and a scan, and are neither."""
REFUSED = {
    "nothing": b"",
    "text": b"<script>alert(1)</script>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "cut off": noise(100, 100)[:5_000],
    "another format": encoded(teal(9, 9), "TIFF"),
    "a program for printers": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "too many pixels": encoded(teal(SIDE + 1, SIDE), "PNG"),
    "too many pixels, progressive": encoded(teal(SIDE + 1, SIDE), "JPEG", progressive=True),
    "too many pixels, several scans": in_several_scans(SIDE + 1, SIDE),
    "too many pixels, several scans, hidden": in_several_scans(
        SIDE + 1, SIDE, before=b"\xff\xff" + COMMENT[1:]
    ),
    "too many pixels, AVIF": avif(SIDE + 1, SIDE),
    "AVIF that is cut off": avif(300, 200)[:200],
    "a bomb": claims(60_000, 60_000),
    "a lie": claims(10, 10),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_is_none_has_none(data: bytes) -> None:
    with pytest.raises(NoThumbnail):
        thumbnail(io.BytesIO(data))


def test_a_jpeg_in_several_scans() -> None:
    data = in_several_scans(600, 300, before=COMMENT)
    assert opened(data).mode == "RGB"
    assert small(data).size == (144, 72)
    assert pictures.has_several_scans(io.BytesIO(data))
    assert pictures.has_several_scans(io.BytesIO(encoded(teal(9, 9), "JPEG", progressive=True)))
    assert not pictures.has_several_scans(io.BytesIO(encoded(teal(9, 9), "JPEG")))
    assert not pictures.has_several_scans(io.BytesIO(encoded(Image.new("L", (9, 9)), "JPEG")))


def test_avif_is_not_decoded_here(monkeypatch: Any) -> None:
    """Its decoder takes what the frame says, whatever the header that was looked at says."""
    monkeypatch.setattr(pictures, "make_small", lambda file: pytest.fail("decoded"))
    assert small(avif(1000, 500)).size == (144, 72)
    assert small(avif(1000, 500, (100, 200))).size == (72, 144)


@pytest.mark.parametrize("limit", ["MEMORY", "CPU_SECONDS", "SECONDS"])
def test_avif_is_decoded_within_limits(limit: str, monkeypatch: Any) -> None:
    """This process is not concerned by what the decoder takes."""
    data = avif(300, 200)
    assert small(data).size == (144, 96)
    match limit:
        case "MEMORY":
            monkeypatch.setattr(pictures, "MEMORY", 1)
        case "CPU_SECONDS":
            monkeypatch.setattr(pictures, "CPU_SECONDS", 0)
        case "SECONDS":
            monkeypatch.setattr(previews, "SECONDS", 0.0)
    with pytest.raises(NoThumbnail):
        thumbnail(io.BytesIO(data))


def test_the_page(files: Files) -> None:
    stored = files.add("a.png", noise(400, 300), "image/png")
    assert stored.length > 300_000
    url = files.file_url(stored.id, "thumbnail")
    assert f'src="{url}"' in files.get().html
    answer = files.site.client.get(url)
    assert answer.status_code == 200
    assert opened(answer.content).size == (144, 108)
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert answer["Cache-Control"] == "no-cache, private"
    same = files.site.client.get(url, headers={"If-None-Match": answer["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same["Content-Security-Policy"] == answer["Content-Security-Policy"]
    whole = files.site.client.get(files.file_url(stored.id, "raw"))
    assert whole["ETag"] != answer["ETag"]


def test_of_a_file_that_was_saved_encoded(files: Files) -> None:
    storage = GridFSStorage(bucket="media", using="archive", compression="gzip")
    stored = storage.stored(storage.save("a.png", io.BytesIO(noise(400, 300))))
    assert (
        opened(files.site.client.get(files.file_url(stored.id, "thumbnail")).content).width == 144
    )


def test_a_file_that_is_no_picture(files: Files) -> None:
    stored = files.add("a.png", b"text", "image/png")
    assert files.file(stored.id, "thumbnail").status == 404


def test_a_file_that_is_too_large_is_not_read(files: Files) -> None:
    stored = files.add("a.png", png() + bytes(25_000_000), "image/png")
    assert files.file(stored.id, "thumbnail").status == 404
    small = files.add("b.png", png() + bytes(1_000_000), "image/png")
    assert files.file(small.id, "thumbnail").status == 200


def test_without_pillow_there_are_none(files: Files, monkeypatch: Any) -> None:
    stored = files.add("a.png", noise(400, 300), "image/png")
    monkeypatch.setattr(raw, "can_make_thumbnails", lambda: False)
    assert files.file(stored.id, "thumbnail").status == 404


def test_a_damaged_file(files: Files) -> None:
    stored = files.add("a.png", noise(400, 300), "image/png")
    files.chunks.delete_one({"files_id": stored.id, "n": 1})
    answer = files.file(stored.id, "thumbnail")
    assert (answer.status, "chunk" in answer.html) == (503, True)
