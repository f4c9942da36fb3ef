"""The codecs of one file, one after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from djongo_services.conf import settings
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.codecs.compression import Gzip, Zstandard
from djongo_services.storage.codecs.encryption import AesGcm
from djongo_services.storage.codecs.stage import Codec, Stage
from djongo_services.storage.errors import CorruptFile, StorageError

_FACTORIES: dict[str, Callable[[], Codec]] = {
    Gzip.name: Gzip,
    Zstandard.name: Zstandard,
    AesGcm.name: lambda: AesGcm(settings.storage.encryption_keys),
}


def register_codec(name: str, factory: Callable[[], Codec]) -> None:
    """Make files readable whose ``metadata.codecs`` name it, and storages able to ask for it."""
    _FACTORIES[name] = factory


def codec(name: object) -> Codec:
    """Raises StorageError when nobody registered one."""
    factory = _FACTORIES.get(name) if isinstance(name, str) else None
    if factory is None:
        raise StorageError(
            f"There is no codec {name!r}; known are {', '.join(sorted(_FACTORIES))}. Register it "
            f"with djongo_services.storage.codecs.register_codec."
        )
    return factory()


class Chain:
    """Encodes one new file; ``metadata`` is complete once :meth:`encode` has run."""

    def __init__(self, names: Sequence[str]) -> None:
        codecs = [codec(name) for name in names]
        records = [{"name": each.name, **each.new_record()} for each in codecs]
        self._stages = [each.encoder(record) for each, record in zip(codecs, records, strict=True)]
        self._records = records
        self._size = 0

    @property
    def metadata(self) -> dict[str, Any]:
        """To be kept in the files document; empty without codecs."""
        return {"codecs": self._records, "size": self._size} if self._records else {}

    def encode(self, piece: bytes) -> Iterator[bytes]:
        self._size += len(piece)
        yield from _through(self._stages, [piece])

    def finish(self) -> Iterator[bytes]:
        yield from _ends(self._stages)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    start: int
    stop: int
    """The bytes to read from the bucket."""
    stages: Sequence[Stage]
    skip: int
    """Plain bytes to leave out at the beginning."""
    take: int
    """Plain bytes that are wanted."""
    to_the_end: bool
    """Whether they are the last ones, so that what follows them is a proof of the whole."""


def plain_size(file: StoredFile) -> int:
    """Bytes of the file as it was given to the storage."""
    size = file.metadata.get("size") if file.metadata.get("codecs") else None
    return file.length if not isinstance(size, int) else int(size)


def chain_for(file: StoredFile, start: int, stop: int) -> _Reading | None:
    """How to read the plain bytes [start, stop) of a file; None where it is stored as it is."""
    records = file.metadata.get("codecs")
    if not records:
        return None
    codecs = [(codec(record.get("name")), record) for record in records]
    size = plain_size(file)
    if len(codecs) == 1:
        only, record = codecs[0]
        window = only.window(record, size, file.length, start, stop)
        return _Reading(
            start=window.start,
            stop=window.stop,
            stages=[window.stage],
            skip=window.skip,
            take=stop - start,
            to_the_end=stop == size,
        )
    stages = [each.decoder(record) for each, record in reversed(codecs)]
    return _Reading(
        start=0,
        stop=file.length,
        stages=stages,
        skip=start,
        take=stop - start,
        to_the_end=stop == size,
    )


def decode(reading: _Reading, pieces: Iterable[bytes]) -> Iterator[bytes]:
    cut = _Cut(reading)
    for piece in pieces:
        for plain in _through(reading.stages, [piece]):
            if wanted := cut(plain):
                yield wanted
        if cut.satisfied:
            return
    for plain in _ends(reading.stages):
        if wanted := cut(plain):
            yield wanted
    cut.finish()


async def adecode(
    reading: _Reading, pieces: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    cut = _Cut(reading)
    async with aclosing(pieces):
        async for piece in pieces:
            for plain in _through(reading.stages, [piece]):
                if wanted := cut(plain):
                    yield wanted
            if cut.satisfied:
                return
    for plain in _ends(reading.stages):
        if wanted := cut(plain):
            yield wanted
    cut.finish()


class _Cut:
    """Lets only the wanted bytes through."""

    def __init__(self, reading: _Reading) -> None:
        self._skip = reading.skip
        self._take = reading.take
        self._to_the_end = reading.to_the_end

    @property
    def satisfied(self) -> bool:
        """Whether nothing that follows is needed."""
        return not self._take and not self._to_the_end

    def __call__(self, plain: bytes) -> bytes:
        wanted = plain[self._skip : self._skip + self._take]
        self._skip = max(0, self._skip - len(plain))
        self._take -= len(wanted)
        return wanted

    def finish(self) -> None:
        if self._take:
            raise CorruptFile(f"The decoded file is {self._take:,} bytes too short.")


def _through(stages: Sequence[Stage], pieces: Iterable[bytes]) -> Iterator[bytes]:
    if not stages:
        yield from pieces
        return
    first, *rest = stages
    for piece in pieces:
        yield from _through(rest, first.feed(piece))


def _ends(stages: Sequence[Stage]) -> Iterator[bytes]:
    """What each stage still holds, through those after it."""
    for number, stage in enumerate(stages):
        yield from _through(stages[number + 1 :], stage.finish())
