"""What both flavours of a bucket are made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from bson import ObjectId
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.storage.bucket.chunking import Chunker, Document
from djongo_services.storage.bucket.file import DEFAULT_CHUNK_SIZE, checked_chunk_size
from djongo_services.storage.bucket.layout import DEFAULT_NAME, Layout
from djongo_services.transaction.joining import joined

C = TypeVar("C")
"""Collection or AsyncCollection."""


class BucketOptions(Generic[C]):
    """The name, the chunk size and the collections of a bucket."""

    def __init__(
        self,
        database: Any,
        name: str = DEFAULT_NAME,
        *,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
        read_preference: Any = None,
        exclusive: bool = False,
        shared: bool = False,
    ) -> None:
        """``chunk_size`` in bytes; concerns and read preference default to the database's.

        ``exclusive`` keeps the names apart of those files whose metadata say ``exclusive: true``;
        ``shared`` finds files of equal content.

        Raises ValueError for a chunk size that fits no document, and ConfigurationError for an
        unacknowledged write concern.
        """
        self.name = name
        self.chunk_size = checked_chunk_size(chunk_size)
        self.layout: Layout[C] = Layout(
            database,
            name,
            write_concern=write_concern,
            read_concern=read_concern,
            read_preference=read_preference,
            exclusive=exclusive,
            shared=shared,
        )

    @property
    def files(self) -> C:
        return self.layout.files

    @property
    def chunks(self) -> C:
        return self.layout.chunks

    @property
    def trash(self) -> C:
        return self.layout.trash

    @property
    def uploads(self) -> C:
        return self.layout.uploads

    def _chunker(self, id: Any, chunk_size: int | None) -> Chunker:
        size = self.chunk_size if chunk_size is None else checked_chunk_size(chunk_size)
        return Chunker(ObjectId() if id is None else id, size)

    def session(self) -> Any:
        """That of the open transaction, or None; the backend's own is not found by itself."""
        within = joined(self.layout.client)
        return within and within.session


def checked_name(filename: object) -> Any:
    """Raises TypeError for what is neither a string nor None, and would be a query elsewhere."""
    if filename is not None and not isinstance(filename, str):
        raise TypeError(f"A file's name is a string or None, not {type(filename).__name__}.")
    return filename


def kept_metadata(metadata: Mapping[str, Any] | None, content_type: str) -> Document:
    return {**(metadata or {}), **({"contentType": content_type} if content_type else {})}
