"""``Range``: the bytes that a request asks for (RFC 9110, section 14), and the body with them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_RANGES = 64
"""Ranges in one request. With more of them, the whole file is sent once: a server may ignore the
header, and many small ranges are how it is abused (section 17.15)."""

GAP = 128
"""A gap of at most this many bytes between two ranges is sent too: the header of another part has
about as many."""

_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_HUGE = 10**18
"""More than any file has; a number with more digits is replaced by it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ByteRange:
    """Bytes [start, stop) of a file, never empty."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start

    def content_range(self, size: int) -> str:
        """The value of the Content-Range header, which includes the last byte."""
        return f"bytes {self.start}-{self.stop - 1}/{size}"


def wanted_ranges(header: str, size: int) -> list[ByteRange] | None:
    """What ``Range: <header>`` asks of a file of ``size`` bytes, in the order of asking.

    Ranges that overlap, or nearly touch, are merged. None: the header is to be ignored, because it
    has no known unit, a wrong syntax or too many ranges, or because the file is empty, which a 206
    cannot express. An empty list: no range is within the file (416).
    """
    unit, equals, specs = header.partition("=")
    if not equals or unit.lower() != "bytes" or specs.count(",") >= MAX_RANGES or not size:
        return None
    found: list[ByteRange] = []
    written = [spec for each in specs.split(",") if (spec := each.strip(" \t"))]
    for spec in written:
        bounds = _bounds(spec, size)
        if bounds is None:
            return None
        start, stop = bounds
        if start < stop:
            found.append(ByteRange(start=start, stop=stop))
    return _coalesced(found) if written else None


def _bounds(spec: str, size: int) -> tuple[int, int] | None:
    """Start and stop, within the file; an empty range if it is outside. None: wrong syntax."""
    match = _SPEC.fullmatch(spec)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - _number(last)), size) if last else None
    start, stop = _number(first), _number(last) + 1 if last else size
    if last and stop <= start:
        return None
    return min(start, size), min(stop, size)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else _HUGE


def _coalesced(ranges: Iterable[ByteRange]) -> list[ByteRange]:
    """The merged ranges, each at the position of its first part."""
    merged: list[tuple[int, ByteRange]] = []
    for place, each in sorted(enumerate(ranges), key=lambda pair: pair[1].start):
        if merged and each.start <= merged[-1][1].stop + GAP:
            before, last = merged[-1]
            grown = ByteRange(start=last.start, stop=max(last.stop, each.stop))
            merged[-1] = (min(before, place), grown)
        else:
            merged.append((place, each))
    return [each for _, each in sorted(merged, key=lambda pair: pair[0])]


# The content of a response: some ranges and, if there are several, the lines between them.
Step = bytes | ByteRange
"""Literal bytes, or a range to read from the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """The body of a response to GET, before it is read."""

    status: int
    headers: dict[str, str]
    """The headers that describe the part, including its length."""
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
    """One range as it is, or several as multipart/byteranges (RFC 9110, section 14.6)."""
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
    # Generated each time: an uploader must not be able to put it into a file.
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
