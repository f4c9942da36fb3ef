"""Small pictures of images, where Pillow is installed."""

from __future__ import annotations

import io
from importlib.util import find_spec

from pymongo.errors import PyMongoError

from djongo_services.admin.files.previews import PICTURE_BYTES
from djongo_services.storage.errors import StorageError

MAX_BYTES = PICTURE_BYTES
"""Of a file: some decoders hold all of it."""
MAX_PIXELS = 4_000_000
"""That are held while an image is made smaller: 4 bytes each."""
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "WEBP")
SIDE = 144
"""Three times what a list shows, for sharp screens."""


class NoThumbnail(Exception):
    """The bytes are no image, or one that is too large."""


def can_make_thumbnails() -> bool:
    return find_spec("PIL") is not None


def thumbnail(file: io.RawIOBase) -> bytes:
    """A PNG of at most 144 pixels on a side.

    Raises NoThumbnail, and what reading the file raises.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BufferedReader(file), formats=FORMATS) as image:
            whole = image.width * image.height
            # JPEG's decoder leaves out pixels by itself, but holds all of a progressive one.
            image.draft("RGB", (SIDE, SIDE))
            held = whole if "progressive" in image.info else image.width * image.height
            if held > MAX_PIXELS:
                raise NoThumbnail(f"{held} pixels are too many")
            image.thumbnail((SIDE, SIDE))
            small = ImageOps.exif_transpose(image).convert("RGBA")
    except (NoThumbnail, PyMongoError, StorageError):
        raise
    except Exception as error:  # Pillow raises what its decoders do, and they raise anything.
        raise NoThumbnail(str(error)) from error
    written = io.BytesIO()
    small.save(written, "PNG")
    return written.getvalue()
