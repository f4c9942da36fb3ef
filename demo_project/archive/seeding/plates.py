"""The files of the first media: small, real, and the same in every run."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import wave
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from bson import Int64
from django.core.files.storage import default_storage
from PIL import Image, ImageDraw
from pymongo import UpdateOne
from pymongo.database import Database

from demo_project.archive.seeding.keys import SEEDED_AT, key

FILES = 60
"""The number of files; more would show nothing new."""
FOLDER = "plates"


def seed_plates(database: Database[Any]) -> int:
    """Store a file for each of the first media, in place of those of an earlier run."""
    _remove_earlier()
    made = dict(_contents(database))
    names = default_storage.save_many((f"{FOLDER}/{name}", data) for name, data in made.items())
    updates = [
        UpdateOne(
            {"filename": filename},
            {
                "$set": {
                    "file": name,
                    "size": Int64(len(data)),
                    "checksum": hashlib.sha256(data).hexdigest(),
                }
            },
        )
        for name, (filename, data) in zip(names, made.items(), strict=True)
    ]
    database.archive_medium.bulk_write(updates, bypass_document_validation=True)
    _date(names)
    return len(names)


def plate(number: int, extension: str) -> bytes:
    """The content of a medium: a field seen through a lens, a tone, or a page."""
    match extension:
        case "wav":
            return _tone(220 + number * 5)
        case "pdf":
            return _page(f"Plate {number}")
    return _picture(number, "JPEG" if extension == "jpg" else "TIFF")


def _date(names: list[str]) -> None:
    """Date the files as if they had come in over the year, one a week."""
    start = dt.datetime.fromtimestamp(SEEDED_AT, dt.UTC) + dt.timedelta(days=1)
    default_storage.bucket.files.bulk_write(
        [
            UpdateOne(
                {"filename": default_storage.full_name(name)},
                {"$set": {"uploadDate": start + dt.timedelta(weeks=number)}},
            )
            for number, name in enumerate(names)
        ]
    )


def _contents(database: Database[Any]) -> Iterator[tuple[str, bytes]]:
    first = {"_id": {"$gte": key("MEDI", 0), "$lt": key("MEDI", FILES)}}
    media = database.archive_medium.find(first, {"filename": 1}).sort("_id")
    for number, medium in enumerate(media):
        filename = medium["filename"]
        yield filename, plate(number, PurePath(filename).suffix[1:])


def _remove_earlier() -> None:
    seeded = {"filename": {"$regex": rf"^{FOLDER}/plate-\d{{6}}\."}}
    bucket = default_storage.bucket
    bucket.delete_many([file.id for file in bucket.find(seeded)])


def _picture(number: int, kind: str) -> bytes:
    hue = number * 37 % 256
    image = Image.new("HSV", (360, 240), (hue, 60, 235)).convert("RGB")
    draw = ImageDraw.Draw(image)
    for ring in range(8):
        radius = 110 - ring * 13
        shade = 70 + (number * 11 + ring * 23) % 150
        box = (180 - radius, 120 - radius, 180 + radius, 120 + radius)
        draw.ellipse(box, fill=(shade, 120 + ring * 12, 200 - shade // 2))
    data = io.BytesIO()
    image.save(data, kind, **({"quality": 80} if kind == "JPEG" else {"compression": "tiff_lzw"}))
    return data.getvalue()


def _tone(hertz: int) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8_000)
        period = 8_000 // hertz
        sound.writeframes(
            bytes(128 + (40 if n % period * 2 < period else -40) for n in range(4_000))
        )
    return data.getvalue()


def _page(text: str) -> bytes:
    """The smallest PDF that shows a line of text."""
    stream = f"BT /F1 24 Tf 72 720 Td ({text}) Tj ET".encode("ascii")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size, start = len(objects) + 1, len(pdf)
    pdf += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return pdf + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
