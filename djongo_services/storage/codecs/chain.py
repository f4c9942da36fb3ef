"""The codecs of one file, in sequence."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Any, TypeAlias

from djongo_services.conf import settings
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.codecs.compression import Gzip, Zstandard
from djongo_services.storage.codecs.encryption import AesGcm
from djongo_services.storage.codecs.stage import FILE, ByteWindow, Codec, Stage
from djongo_services.storage.errors import CorruptFile, StorageError

_Codecs: TypeAlias = "list[tuple[Codec, Mapping[str, Any]]]"
"""The codecs in the order in which they were applied, each with what it needs to decode."""

_FACTORIES: dict[str, Callable[[], Codec]] = {
    Gzip.name: Gzip,
    Zstandard.name: Zstandard,
    AesGcm.name: lambda: AesGcm(settings.storage.encryption_keys),
}


def register_codec(name: str, factory: Callable[[], Codec]) -> None:
    """Register a codec: files whose ``metadata.codecs`` name it become readable, and storages can
    use it."""
    _FACTORIES[name] = factory


def codec(name: object) -> Codec:
    """The codec with that name. Raises StorageError if none is registered."""
    factory = _FACTORIES.get(name) if isinstance(name, str) else None
    if factory is None:
        raise StorageError(
            f"There is no codec {name!r}; known are {', '.join(sorted(_FACTORIES))}. Register it "
            f"with djongo_services.storage.codecs.register_codec."
        )
    return factory()


class Chain:
    """Encodes one new file; ``metadata`` is complete once :meth:`encode` has run."""

    def __init__(self, names: Sequence[str], files_id: Any) -> None:
        codecs = [codec(name) for name in names]
        records = [{"name": each.name, **each.new_record()} for each in codecs]
        self._stages = [
            each.encoder({**record, FILE: files_id})
            for each, record in zip(codecs, records, strict=True)
        ]
        self._records = records
        self._size = 0

    @property
    def metadata(self) -> dict[str, Any]:
        """What the files document keeps; empty without codecs."""
        return {"codecs": self._records, "size": self._size} if self._records else {}

    def encode(self, piece: bytes) -> Iterator[bytes]:
        self._size += len(piece)
        yield from _through(self._stages, [piece])

    def finish(self) -> Iterator[bytes]:
        yield from _ends(self._stages)


@dataclass(frozen=True, kw_only=True, slots=True)
class _ChainReading:
    start: int
    stop: int
    """The bytes to read from the bucket."""
    stages: Sequence[Stage]
    skip: int
    """Plain bytes to skip at the beginning."""
    take: int
    """Plain bytes that are wanted."""
    to_the_end: bool
    """Whether they are the last bytes, so that what follows them verifies the whole file."""


def plain_size(file: StoredFile) -> int:
    """Bytes of the file as it was given to the storage. Raises CorruptFile if that is unknown."""
    if not file.metadata.get("codecs"):
        return file.length
    size = file.metadata.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise _damaged(file, f"its plain size is {size!r}")
    return int(size)


def is_encrypted(file: StoredFile, by: str) -> bool:
    """Whether its bytes went through the codec ``by``, or our own encryption."""
    records = file.metadata.get("codecs")
    names = (
        {each.get("name") for each in records if isinstance(each, Mapping)}
        if (isinstance(records, list))
        else set()
    )
    return bool(names & {by, AesGcm.name})


def has_random_access(file: StoredFile) -> bool:
    """Whether a range can be read without everything before it."""
    codecs = _codecs(file)
    return not codecs or (len(codecs) == 1 and codecs[0][0].random_access)


def chain_for(file: StoredFile, start: int, stop: int) -> _ChainReading | None:
    """How to read the plain bytes [start, stop) of a file; None if it is stored without codecs.

    Raises ValueError if the range is not within the file, and CorruptFile if the files document
    does not say how it was encoded.
    """
    codecs = _codecs(file)
    if not codecs:
        return None
    size = plain_size(file)
    if not 0 <= start <= stop <= size:
        raise ValueError(
            f"A range of {file.filename!r} lies within 0 and {size}, not {start} to {stop}."
        )
    if start == stop and size:
        return _ChainReading(start=0, stop=0, stages=[], skip=0, take=0, to_the_end=False)
    try:
        return _reading(codecs, size, file.length, start, stop)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise _damaged(file, f"its codecs are {file.metadata.get('codecs')!r}") from error


def decode(
    reading: _ChainReading, pieces: Generator[bytes, None, None]
) -> Generator[bytes, None, None]:
    cut = _Cut(reading)
    with closing(pieces):
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
    reading: _ChainReading, pieces: AsyncGenerator[bytes, None]
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


def _codecs(file: StoredFile) -> _Codecs:
    records = file.metadata.get("codecs")
    if not records:
        return []
    if not isinstance(records, list) or not all(isinstance(each, Mapping) for each in records):
        raise _damaged(file, f"its codecs are {records!r}")
    return [(codec(record.get("name")), {**record, FILE: file.id}) for record in records]


def _reading(codecs: _Codecs, size: int, length: int, start: int, stop: int) -> _ChainReading:
    if len(codecs) == 1:
        only, record = codecs[0]
        window = only.window(record, size, length, start, stop)
        stages = [window.stage]
    else:
        stages = [each.decoder(record) for each, record in reversed(codecs)]
        window = ByteWindow(start=0, stop=length, skip=start, stage=stages[0])
    return _ChainReading(
        start=window.start,
        stop=window.stop,
        stages=stages,
        skip=window.skip,
        take=stop - start,
        to_the_end=stop == size,
    )


def _damaged(file: StoredFile, what: str) -> CorruptFile:
    return CorruptFile(f"The file {file.filename!r} (id {file.id!r}) is damaged: {what}.")


class _Cut:
    """Lets only the wanted bytes through."""

    def __init__(self, reading: _ChainReading) -> None:
        self._skip = reading.skip
        self._take = reading.take
        self._to_the_end = reading.to_the_end

    @property
    def satisfied(self) -> bool:
        """Whether everything that follows is unnecessary."""
        return not self._take and not self._to_the_end

    def __call__(self, plain: bytes) -> bytes:
        wanted = plain[self._skip : self._skip + self._take]
        if self._to_the_end and len(plain) > self._skip + len(wanted):
            raise CorruptFile("The decoded file is longer than it was.")
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
    """The bytes that each stage still holds, passed through the stages after it."""
    for number, stage in enumerate(stages):
        yield from _through(stages[number + 1 :], stage.finish())
