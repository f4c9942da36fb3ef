"""Content whose bytes are in a bucket already, so that saving it copies nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from djongo_services.storage.bucket import UploadStream
from djongo_services.storage.bucket.chunking import Document

if TYPE_CHECKING:
    from djongo_services.storage.base import BucketStorage


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """All of a file but its name."""

    stream: UploadStream
    """What the bytes were written to; it can be published."""
    document: Document
    """Its files document, the caller's to complete."""
    head: bytes
    """The first bytes as they were sent."""


@runtime_checkable
class HeldContent(Protocol):
    """A Django File that may be held in a bucket."""

    def held_for(self, storage: BucketStorage) -> Held | None:
        """None unless ``storage`` itself would have put the bytes where and how they are."""
        ...
