"""The base classes of all codecs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


class Stage(ABC):
    """Turns bytes into other bytes, piece by piece. For a single use."""

    @abstractmethod
    def feed(self, data: bytes) -> Iterator[bytes]:
        """The output that is known after ``data``, in pieces of bounded size."""

    @abstractmethod
    def finish(self) -> Iterator[bytes]:
        """The remaining output. Raises CorruptFile if the encoded bytes ended too early."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ByteWindow:
    """How to read a range of the plain bytes without everything before it."""

    start: int
    stop: int
    """The range of the encoded bytes to read."""
    skip: int
    """Bytes to skip at the beginning of the output of ``stage``."""
    stage: Stage


FILE = "_file"
"""A key of a record while it is used: the ``_id`` of the file, which the record does not keep."""


class Codec(ABC):
    """A way to store bytes in another form; ``record`` keeps what decoding needs.

    To add one, write a subclass and call :func:`djongo_services.storage.codecs.register_codec`.
    """

    name: ClassVar[str]
    random_access: ClassVar[bool] = False
    """Whether :meth:`window` can skip what comes before a range."""

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
        """The window for the plain bytes [start, stop) of ``size``, in ``length`` encoded ones.

        It begins at the start of the file unless the codec overrides this.
        """
        return ByteWindow(start=0, stop=length, skip=start, stage=self.decoder(record))
