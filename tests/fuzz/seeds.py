"""Inputs to begin with, for each of :mod:`tests.fuzz.targets`."""

from __future__ import annotations

import zlib


def _chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    check = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + check


PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    [
        _chunk(b"IHDR", bytes([0, 0, 0, 2, 0, 0, 0, 2, 8, 0, 0, 0, 0])),
        _chunk(b"IDAT", zlib.compress(bytes(6))),
        _chunk(b"IEND", b""),
    ]
)
GIF = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
JPEG = bytes.fromhex("ffd8ffc0000b080001000101011100ffda0008010100003f00")

SEEDS: dict[str, list[bytes]] = {
    "ranges": [b"\x01\x000-9,-5", b"\x01\x00bytes=0-", b"\x00\x00-"],
    "plans": [b"{}", b'{"steps": [], "format_version": 1}', b"\x05\x00\x00\x00\x00"],
    "pictures": [PNG, GIF, JPEG],
    "signatures": [b"a.txt?300:1abc:def", b"?"],
}
