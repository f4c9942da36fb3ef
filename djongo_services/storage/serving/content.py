"""What a response carries: some ranges of a file and, of several, the lines between them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from djongo_services.storage.serving.byteranges import ByteRange

Step = bytes | ByteRange
"""Bytes as they are, or a range to read out of the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The body of a response to GET, before any of it is read."""

    status: int
    headers: dict[str, str]
    """Those that say what part it is, its length among them."""
    steps: tuple[Step, ...]
    length: int
    """Bytes of the whole body."""
    is_whole: bool = False
    """Whether it is the file from its first byte to its last."""


def whole(size: int) -> Content:
    return Content(
        status=200,
        headers={"Content-Length": str(size)},
        steps=(ByteRange(start=0, stop=size),),
        length=size,
        is_whole=True,
    )


def partial(ranges: Sequence[ByteRange], size: int, content_type: str) -> Content:
    """One range as it is, several as multipart/byteranges (RFC 9110, section 14.6)."""
    if len(ranges) > 1:
        return _multipart(ranges, size, content_type)
    (only,) = ranges
    return Content(
        status=206,
        headers={"Content-Range": only.content_range(size), "Content-Length": str(only.length)},
        steps=(only,),
        length=only.length,
    )


def _multipart(ranges: Sequence[ByteRange], size: int, content_type: str) -> Content:
    # Drawn anew each time: whoever stored the file must not be able to have it inside.
    boundary = secrets.token_hex(16)
    steps: list[Step] = []
    for each in ranges:
        lines = (
            f"\r\n--{boundary}",
            f"Content-Type: {content_type}",
            f"Content-Range: {each.content_range(size)}",
            "\r\n",
        )
        steps += ["\r\n".join(lines).encode("latin-1"), each]
    steps.append(f"\r\n--{boundary}--\r\n".encode("latin-1"))
    length = sum(step.length if isinstance(step, ByteRange) else len(step) for step in steps)
    return Content(
        status=206,
        headers={
            "Content-Type": f"multipart/byteranges; boundary={boundary}",
            "Content-Length": str(length),
        },
        steps=tuple(steps),
        length=length,
    )
