"""What every codec is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


class Stage(ABC):
    """Bytes in, other bytes out, a piece at a time; one use."""

    @abstractmethod
    def feed(self, data: bytes) -> Iterator[bytes]:
        """What can be said after ``data``; each piece of bounded size."""

    @abstractmethod
    def finish(self) -> Iterator[bytes]:
        """The rest. Raises CorruptFile when what was decoded ended too early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ByteWindow:
    """How to get at a range of the plain bytes without all that come before it."""

    start: int
    stop: int
    """The range of the encoded bytes to read."""
    skip: int
    """Plain bytes to leave out at the beginning of what comes out of ``stage``."""
    stage: Stage


FILE = "_file"
"""In a record, while it is used: the ``_id`` of the file, which is not kept there."""


class Codec(ABC):
    """A way to store bytes otherwise than they are; what it needs to undo that is in ``record``.

    To add one, subclass, and call :func:`djongo_services.storage.codecs.register_codec`.
    """

    name: ClassVar[str]
    random_access: ClassVar[bool] = False
    """Whether :meth:`window` spares what comes before a range."""

    @abstractmethod
    def new_record(self) -> dict[str, Any]:
        """What the files document keeps for one new file, beside the codec's name."""

    @abstractmethod
    def encoder(self, record: Mapping[str, Any]) -> Stage: ...

    @abstractmethod
    def decoder(self, record: Mapping[str, Any]) -> Stage: ...

    def window(
        self, record: Mapping[str, Any], size: int, length: int, start: int, stop: int
    ) -> ByteWindow:
        """For plain bytes [start, stop) of ``size``, in ``length`` encoded ones.

        Read from the beginning unless the codec knows better.
        """
        return ByteWindow(start=0, stop=length, skip=start, stage=self.decoder(record))
