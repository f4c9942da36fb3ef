"""For any header of an image, a small picture or none is made of it, within limits."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.processes import ROOT, python_path

HEADER = 200
"""Bytes of a file, within which formats say how large the image is."""
MEMORY = 120 * 1024 * 1024
"""Bytes of address space that an image may take: the pixels that are held, 4 bytes each, several
times (decoded, converted, turned), the file as a whole, and what the allocator takes in advance."""

DECODER = """
import base64, io, resource, sys
import django
django.setup()
from djongo_services.admin.files.previews import NoThumbnail, thumbnail
from tests.admin.files.test_any_image import MEMORY, address_space, samples

for sample in samples():
    thumbnail(io.BytesIO(sample))
limit = address_space() + MEMORY
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for line in sys.stdin:
    try:
        made = thumbnail(io.BytesIO(base64.b64decode(line)))
        said = "picture" if made.startswith(b"\\x89PNG") else repr(made[:20])
    except NoThumbnail as error:
        said = repr(error.__cause__) if isinstance(error.__cause__, MemoryError) else "none"
    except Exception as error:
        said = repr(error)
    print(said, flush=True)
"""


def address_space() -> int:
    """The most that this process ever had, in bytes."""
    with open("/proc/self/status", encoding="ascii") as status:
        (line,) = (each for each in status if each.startswith("VmPeak"))
    return int(line.split()[1]) * 1024


@cache
def samples() -> list[bytes]:
    """One image of each format that is decoded in the process itself."""
    image = Image.effect_noise((64, 48), 80).convert("RGB")
    kinds = [
        ("BMP", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ]
    found = []
    for kind, options in kinds:
        data = io.BytesIO()
        image.save(data, kind, **options)
        found.append(data.getvalue())
    return found


class Decoder:
    """A process that makes pictures, whose memory can be looked at."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", DECODER],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.admin.settings_sql",
                "PYTHONPATH": python_path(),
                "MALLOC_ARENA_MAX": "1",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, data: bytes) -> str:
        """The result for the image."""
        self.process.stdin.write(f"{base64.b64encode(data).decode()}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.end()


@st.composite
def images(draw: st.DrawFn) -> bytes:
    """An image in whose header some bytes are others."""
    data = bytearray(draw(st.sampled_from(samples())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, min(HEADER, len(data) - 1)))
        new = draw(st.one_of(st.binary(min_size=1, max_size=4), st.just(b"\xff\xff\xff\x7f")))
        data[at : at + len(new)] = new
    # AVIF is decoded by a process with limits: see test_thumbnails.py.
    return bytes(data) if data[4:8] != b"ftyp" else b""


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=images())
def test_any_header(decoder: Decoder, data: bytes) -> None:
    assert decoder.ask(data) in ("picture", "none")


def test_a_chunk_that_claims_to_be_huge(decoder: Decoder) -> None:
    """Pillow reads the pixels of a PNG by the length that the file gives."""
    (image,) = (each for each in samples() if each.startswith(b"\x89PNG"))
    at = image.index(b"IDAT") - 4
    assert decoder.ask(image[:at] + b"\xff\xff\xff\x7f" + image[at + 4 :]) in ("picture", "none")
