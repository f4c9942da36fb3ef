"""Files from one storage to another, as the other would have stored them, with id and date."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Self

from djongo_services.introspection.progress import Stop
from djongo_services.storage.bucket import StoredFile, UploadStream, many
from djongo_services.storage.bucket.chunking import Chunker, Document
from djongo_services.storage.bucket.ranges import RangeReader
from djongo_services.storage.codecs import Chain, plain_size
from djongo_services.storage.content_types import HEAD, content_type_of
from djongo_services.storage.djongo.standing import Key, Wanted, key_of
from djongo_services.storage.encoding import encoded, with_head
from djongo_services.storage.errors import CorruptFile, NameTaken
from djongo_services.storage.gridfs import GridFSStorage

SMALL = 32 * 1024
"""Bytes of a file that is copied together with others."""

BATCH = 64
"""Of such files: at most 2 MB."""

_OURS = frozenset({"contentType", "codecs", "size", "sha256", "exclusive", "shareable", "aliases"})
"""Keys of the metadata that say how a storage keeps a file, not what it is."""


class Stopped(Exception):
    """In the middle of a file, of which nothing is left."""


def copy(old: GridFSStorage, wanted: Wanted, new: GridFSStorage, stop: Stop | None) -> None:
    """Raises StorageError when it cannot be read as a whole, or somebody took its name."""
    original, filename = wanted.stored, new.full_name(wanted.name)
    with closing(_pieces(old, original, stop)) as source:
        head, pieces = with_head(source)
        chain = Chain(new.options.codecs)
        # Nothing has its id: that was looked up for a whole page of files.
        chunker = Chunker(original.id, new.options.chunk_size)
        stream = UploadStream(new.bucket.layout, chunker, filename, _metadata(wanted, new, head))
        with stream.aborting():
            for piece in encoded(chain, pieces):
                stream.write(piece)
            document = stream.seal(chain.metadata)
    document["uploadDate"] = original.upload_date
    try:
        if new.options.allow_overwrite or not wanted.newest:
            # What is newer stays the current one.
            stream.publish(document)
        else:
            new._publish(stream, document, may_rename=False)
    except NameTaken:
        stream.abort()
        raise NameTaken("Somebody else stored a file of this name at the same time.") from None


def is_small(wanted: Wanted, new: GridFSStorage) -> bool:
    """Whether :func:`copy_small` takes it."""
    original = wanted.stored
    plain = not (original.metadata.get("codecs") or new.options.deduplicate)
    return plain and wanted.newest and original.length <= SMALL


def copy_small(old: GridFSStorage, some: Sequence[Wanted], new: GridFSStorage) -> None:
    """At most :data:`BATCH` files with three commands; raises as :func:`copy`, and does nothing."""
    files, chunks = [], []
    for wanted, data in _contents(old, some):
        chain = Chain(new.options.codecs)
        chunker = Chunker(wanted.stored.id, new.options.chunk_size)
        for piece in encoded(chain, [data]):
            for batch in chunker.feed(piece):
                chunks += batch
        chunks += chunker.rest()
        metadata = {**_metadata(wanted, new, data[:HEAD]), **chain.metadata}
        document = chunker.files_document(new.full_name(wanted.name), metadata)
        document["uploadDate"] = wanted.stored.upload_date
        if not new.options.allow_overwrite:
            document["metadata"]["exclusive"] = True
        files.append(document)
    many.store(new.bucket.layout, files, chunks, None)


def _contents(old: GridFSStorage, some: Sequence[Wanted]) -> list[tuple[Wanted, bytes]]:
    readers = {key_of(each.stored.id): RangeReader(each.stored) for each in some}
    found: dict[Key, list[bytes]] = {key: [] for key in readers}
    ids = [each.stored.id for each in some]
    chunks = old.bucket.chunks.find({"files_id": {"$in": ids}}, sort={"files_id": 1, "n": 1})
    with chunks:
        for chunk in chunks:
            key = key_of(chunk["files_id"])
            found[key].append(readers[key].accept(chunk))
    for reader in readers.values():
        reader.finish()
    contents = [(each, b"".join(found[key_of(each.stored.id)])) for each in some]
    for wanted, data in contents:
        if (checksum := _Checksum.of(wanted.stored)) is not None:
            checksum.update(data)
            checksum.check()
    return contents


def _metadata(wanted: Wanted, new: GridFSStorage, head: bytes) -> Document:
    """What was known of the file, and what the new storage would say of it."""
    original = wanted.stored
    kept = content_type_of(new.options.content_type, wanted.name, original, head)
    others = {key: value for key, value in original.metadata.items() if key not in _OURS}
    return {**others, "contentType": kept}


def _pieces(
    old: GridFSStorage, stored: StoredFile, stop: Stop | None
) -> Generator[bytes, None, None]:
    checksum = _Checksum.of(stored)
    for piece in old.read_range(stored, 0, plain_size(stored)):
        if stop is not None and stop.is_set():
            raise Stopped
        if checksum is not None:
            checksum.update(piece)
        yield piece
    if checksum is not None:
        checksum.check()


class _Checksum:
    """That which drivers of djongo's days wrote."""

    def __init__(self, written: str) -> None:
        self._written = written
        self._md5 = hashlib.md5(usedforsecurity=False)
        self.update = self._md5.update

    @classmethod
    def of(cls, stored: StoredFile) -> Self | None:
        written = stored.raw.get("md5")
        return cls(written) if isinstance(written, str) else None

    def check(self) -> None:
        if self._md5.hexdigest() != self._written:
            raise CorruptFile("Its bytes do not have the checksum that they were stored with.")
