"""Compressed files: gzip from the standard library, Zstandard by the package ``zstandard``."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured

from djongo_services.storage.codecs.stage import Codec, Stage
from djongo_services.storage.errors import CorruptFile

_GZIP = 16 + zlib.MAX_WBITS
"""What makes zlib use gzip's header and checksum."""
_MOST = 1024 * 1024
"""Bytes of output at once, however well they were compressed."""
_SLICE = 1024
"""Compressed bytes for Zstandard at once: they expand to at most 32 MiB."""


class Gzip(Codec):
    name: ClassVar[str] = "gzip"

    def __init__(self, level: int = 6) -> None:
        self._level = level

    def new_record(self) -> dict[str, Any]:
        return {}

    def encoder(self, record: Mapping[str, Any]) -> Stage:
        return _Deflate(zlib.compressobj(self._level, zlib.DEFLATED, _GZIP))

    def decoder(self, record: Mapping[str, Any]) -> Stage:
        return _Inflate()


class Zstandard(Codec):
    name: ClassVar[str] = "zstd"

    def __init__(self, level: int = 3) -> None:
        self._level = level
        _zstandard()

    def new_record(self) -> dict[str, Any]:
        return {}

    def encoder(self, record: Mapping[str, Any]) -> Stage:
        compressor = _zstandard().ZstdCompressor(level=self._level, write_checksum=True)
        return _Deflate(compressor.compressobj())

    def decoder(self, record: Mapping[str, Any]) -> Stage:
        return _Unzstd()


class _Deflate(Stage):
    """For compressors with zlib's two methods."""

    def __init__(self, compressor: Any) -> None:
        self._compressor = compressor

    def feed(self, data: bytes) -> Iterator[bytes]:
        if out := self._compressor.compress(data):
            yield out

    def finish(self) -> Iterator[bytes]:
        yield self._compressor.flush()


class _Inflate(Stage):
    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data:
            try:
                out = self._decompressor.decompress(data, _MOST)
            except zlib.error as error:
                raise CorruptFile(f"The compressed bytes are damaged: {error}.") from error
            if out:
                yield out
            data = self._decompressor.unconsumed_tail

    def finish(self) -> Iterator[bytes]:
        if rest := self._decompressor.flush():
            yield rest
        if not self._decompressor.eof:
            raise CorruptFile("The compressed bytes end too early.")


class _Unzstd(Stage):
    def __init__(self) -> None:
        self._decompressor = _zstandard().ZstdDecompressor().decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        view = memoryview(data)
        for at in range(0, len(view), _SLICE):
            try:
                out = self._decompressor.decompress(bytes(view[at : at + _SLICE]))
            except _zstandard().ZstdError as error:
                raise CorruptFile(f"The compressed bytes are damaged: {error}.") from error
            if out:
                yield out

    def finish(self) -> Iterator[bytes]:
        if not self._decompressor.eof:
            raise CorruptFile("The compressed bytes end too early.")
        yield from ()


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ImproperlyConfigured(
            "The compression zstd needs the package zstandard: pip install 'djongo-services[zstd]'."
        ) from error
    return zstandard
