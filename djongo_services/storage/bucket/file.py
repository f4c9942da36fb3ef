"""A files document of GridFS as a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from djongo_services.storage.errors import CorruptFile

DEFAULT_CHUNK_SIZE = 255 * 1024
"""Bytes; the specification's default: with its other fields, a chunk stays below 256 KiB."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LARGEST_CHUNK_SIZE = 16 * 1024 * 1024 - 1024
"""Bytes; a chunk is a document, of at most 16 MiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One file of a bucket, or one revision of it."""

    id: Any
    """A value of any BSON type; the chunks contain it as ``files_id``."""
    filename: str | None
    """Not unique: files with one name are its revisions."""
    length: int
    """Bytes in the chunks."""
    chunk_size: int
    """Bytes of every chunk except the last."""
    upload_date: datetime
    """Aware, in UTC, in whole milliseconds; without a date, that of its id, or 1970."""
    metadata: Mapping[str, Any]
    """Empty if the document has none."""
    raw: Mapping[str, Any] = field(repr=False, compare=False)
    """The whole files document."""

    @property
    def content_type(self) -> str:
        """The type from ``metadata``, or from the field beside it, where older drivers kept it;
        empty if unknown."""
        found = self.metadata.get("contentType", self.raw.get("contentType"))
        return found if isinstance(found, str) else ""

    @property
    def sha256(self) -> str | None:
        """The checksum of the bytes in the chunks, in hexadecimal; None for files that other tools
        stored."""
        found = self.metadata.get("sha256")
        return found if isinstance(found, str) else None

    @property
    def chunk_count(self) -> int:
        return -(-self.length // self.chunk_size)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Raises CorruptFile if the document does not follow the GridFS specification."""
        length = _whole(document, "length", at_least=0)
        chunk_size = _whole(document, "chunkSize", at_least=1)
        upload_date = document.get("uploadDate")
        if upload_date is None or isinstance(upload_date, DatetimeMS):  # beyond Python's calendar
            upload_date = _made(document["_id"])
        if not isinstance(upload_date, datetime):
            raise _wrong(document, "uploadDate", upload_date)
        metadata = document.get("metadata")
        return cls(
            id=document["_id"],
            filename=document.get("filename"),
            length=length,
            chunk_size=chunk_size,
            upload_date=upload_date if upload_date.tzinfo else upload_date.replace(tzinfo=UTC),
            metadata=metadata if isinstance(metadata, Mapping) else {},
            raw=document,
        )


def checked_chunk_size(chunk_size: int) -> int:
    """Raises ValueError if chunks of that size do not fit into a document."""
    whole = isinstance(chunk_size, int) and not isinstance(chunk_size, bool)
    if not whole or not 1 <= chunk_size <= LARGEST_CHUNK_SIZE:
        raise ValueError(
            f"chunk_size is a number of bytes from 1 to {LARGEST_CHUNK_SIZE:,}, not {chunk_size!r}."
        )
    return chunk_size


def _made(files_id: Any) -> datetime:
    return files_id.generation_time if isinstance(files_id, ObjectId) else _EPOCH


def _whole(document: Mapping[str, Any], key: str, *, at_least: int) -> int:
    """A number as any driver may have written it: int, long, or a double without a fraction."""
    value = document.get(key)
    match value:
        case bool():
            pass
        case int() if value >= at_least:
            return int(value)
        case float() if value.is_integer() and value >= at_least:
            return int(value)
    raise _wrong(document, key, value)


def _wrong(document: Mapping[str, Any], key: str, value: object) -> CorruptFile:
    return CorruptFile(
        f"The files document {document.get('_id')!r} has {key} {value!r}, which is invalid."
    )
