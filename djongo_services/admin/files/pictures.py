"""Making an image small, without much memory.

Nothing of the project is imported: the file is also run by itself, in a process with limits, for
formats whose decoders cannot limit their memory. Images are read from stdin and written to stdout,
and an error message goes to stderr.
"""

from __future__ import annotations

import io
import sys
from typing import IO

MAX_PIXELS = 4_000_000
"""The maximum number of pixels in memory while an image is reduced: 4 bytes each."""
SIDE = 144
"""Three times the size in a list, for high-resolution screens."""
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "WEBP")
MEMORY = 512 * 1024 * 1024
"""The limit of the process's address space in bytes; Python and an image of that many pixels need a
third of it."""
CPU_SECONDS = 10

_START_OF_SCAN = 0xDA
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}


class TooManyPixels(Exception):
    """The image has more pixels than are kept in memory."""


def make_small(file: IO[bytes]) -> bytes:
    """A PNG of at most 144 pixels on a side. Raises TooManyPixels, and whatever Pillow raises."""
    from PIL import Image, ImageOps

    with Image.open(file, formats=FORMATS) as image:
        whole = image.width * image.height
        # JPEG's decoder leaves out pixels itself, but keeps everything in memory for images with
        # several scans.
        is_held = image.format == "JPEG" and has_several_scans(file)
        image.draft("RGB", (SIDE, SIDE))
        held = whole if is_held else image.width * image.height
        if held > MAX_PIXELS:
            raise TooManyPixels(f"{held} pixels are too many")
        image.thumbnail((SIDE, SIDE))
        small = ImageOps.exif_transpose(image).convert("RGBA")
    written = io.BytesIO()
    small.save(written, "PNG")
    return written.getvalue()


def has_several_scans(file: IO[bytes]) -> bool:
    """Whether a JPEG is progressive, or its first scan has only some of its components (ITU T.81,
    B.2). The position in the file is restored."""
    position = file.tell()
    try:
        file.seek(2)
        return _scans_are_several(file)
    finally:
        file.seek(position)


def _scans_are_several(file: IO[bytes]) -> bool:
    components = 0
    while (marker := _next_marker(file)) is not None:
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker == _START_OF_SCAN:
            return file.read(1) != bytes([components])
        if marker in _PROGRESSIVE:
            return True
        if marker in _FRAMES:
            head = file.read(6)  # precision, height, width, components
            components = head[5] if len(head) == 6 else 0
            length -= len(head)
        file.seek(max(length - 2, 0), io.SEEK_CUR)
    return True  # There is no scan at all: nothing is known.


def _next_marker(file: IO[bytes]) -> int | None:
    """Any number of 0xFF, and one byte that differs; other bytes between segments are skipped, as
    decoders do."""
    while byte := file.read(1):
        if byte != b"\xff":
            continue
        while byte == b"\xff":
            byte = file.read(1)
        if byte and byte != b"\0":
            return byte[0]
    return None


def _main() -> None:
    import resource

    memory, seconds = int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    sys.path.insert(0, sys.argv[1])
    from PIL import AvifImagePlugin

    # Each thread's stack would count, too.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    sys.stdout.buffer.write(make_small(io.BytesIO(sys.stdin.buffer.read())))


if __name__ == "__main__":
    try:
        _main()
    except BaseException as error:  # noqa: BLE001 - the parent says it
        sys.exit(str(error) or type(error).__name__)
