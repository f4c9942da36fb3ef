"""Copying files from one storage to another, as the other would have stored them, with id and
date."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

from pymongo.collation import Collation

from djongo_services.progress import Stop
from djongo_services.storage.bucket import Bucket, StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Chunker, Document
from djongo_services.storage.bucket.ranges import RangeReader
from djongo_services.storage.bucket.synchronous import many
from djongo_services.storage.codecs import Chain, plain_size
from djongo_services.storage.content import HEAD, content_type_of, encoded, with_head
from djongo_services.storage.errors import CorruptFile, NameTaken
from djongo_services.storage.gridfs import GridFSStorage

SMALL = 32 * 1024
"""Files of up to this many bytes are copied together."""

BATCH = 64
"""The number of such files: at most 2 MB together."""

_OURS = frozenset({"contentType", "codecs", "size", "sha256", "exclusive", "shareable", "aliases"})
"""Keys of the metadata that describe how a storage keeps a file, not what the file is."""


class Stopped(Exception):
    """Interrupted in the middle of a file; its partial copy was removed."""


def copy(old: GridFSStorage, wanted: FileToMove, new: GridFSStorage, stop: Stop | None) -> None:
    """Copy one file. Raises StorageError if it cannot be read completely, or its name was taken."""
    original, filename = wanted.stored, new.full_name(wanted.name)
    with closing(_pieces(old, original, stop)) as source:
        head, pieces = with_head(source)
        chain = Chain(new.options.codecs, original.id)
        # No file has its id: that was checked for a whole page of files.
        chunker = Chunker(original.id, new.options.chunk_size)
        stream = UploadStream(new.bucket.layout, chunker, filename, _metadata(wanted, new, head))
        with stream.aborting():
            for piece in encoded(chain, pieces):
                stream.write(piece)
            document = stream.seal(chain.metadata)
    document["uploadDate"] = original.upload_date
    try:
        if new.options.allow_overwrite or not wanted.newest:
            # A newer file stays the current one.
            stream.publish(document)
        else:
            new._publish(stream, document, may_rename=False)
    except NameTaken:
        stream.abort()
        raise NameTaken("Another client stored a file with this name at the same time.") from None


def is_small(wanted: FileToMove, new: GridFSStorage) -> bool:
    """Whether :func:`copy_small` can copy it."""
    original = wanted.stored
    plain = not (original.metadata.get("codecs") or new.options.deduplicate)
    return plain and wanted.newest and original.length <= SMALL


def copy_small(old: GridFSStorage, some: Sequence[FileToMove], new: GridFSStorage) -> None:
    """Copy at most :data:`BATCH` files with three commands. Raises as :func:`copy` does; then
    nothing is copied."""
    files, chunks = [], []
    for wanted, data in _contents(old, some):
        chain = Chain(new.options.codecs, wanted.stored.id)
        chunker = Chunker(wanted.stored.id, new.options.chunk_size)
        for piece in encoded(chain, [data]):
            for batch in chunker.feed(piece):
                chunks += batch
        chunks += chunker.rest()
        metadata = {**_metadata(wanted, new, data[:HEAD]), **chain.metadata}
        name = new.full_name(wanted.name)
        document = chunker.files_document(name, metadata, wanted.stored.upload_date)
        if not new.options.allow_overwrite:
            document["metadata"]["exclusive"] = True
        files.append(document)
    many.store(new.bucket.layout, files, chunks, None)


def _contents(old: GridFSStorage, some: Sequence[FileToMove]) -> list[tuple[FileToMove, bytes]]:
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


def _metadata(wanted: FileToMove, new: GridFSStorage, head: bytes) -> Document:
    """What was known of the file, and what the new storage would store about it."""
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
    """The checksum that drivers wrote when djongo was current."""

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


# The contents of a bucket of djongo's, name by name.
PAGE = 500
"""Files documents that are read at once, by one query: copying the files of a query may take longer
than a server keeps a cursor."""

_BYTE_BY_BYTE = Collation("simple")
"""Not the collection's own collation, which may treat different names as equal, or skip some."""
_IN_ORDER = {"filename": 1, "uploadDate": 1, "_id": 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """One name and the files documents of its revisions, the current one last."""

    filename: str
    revisions: tuple[Document, ...]


def pages(bucket: Bucket) -> Iterator[list[Original]]:
    """Pages of names, in their order. Files without a name are left out."""
    after: dict[str, Any] = {"$type": "string"}
    while found := _find(bucket, {"filename": after}, limit=PAGE):
        page = [
            Original(filename=filename, revisions=tuple(revisions))
            for filename, revisions in groupby(found, key=lambda each: each["filename"])
        ]
        if len(found) == PAGE:
            # The last name may continue on the next page.
            last = page.pop().filename
            if not page:
                revisions = tuple(_find(bucket, {"filename": last}))
                page.append(Original(filename=last, revisions=revisions))
        yield page
        after = {"$gt": page[-1].filename}


def nameless(bucket: Bucket) -> Iterator[Document]:
    yield from bucket.files.find({"filename": {"$not": {"$type": "string"}}}, batch_size=PAGE)


def _find(bucket: Bucket, query: dict[str, Any], *, limit: int = 0) -> list[Document]:
    found = bucket.files.find(
        query, sort=_IN_ORDER, limit=limit, allow_disk_use=True, collation=_BYTE_BY_BYTE
    )
    return list(found)


# Which files of a page are already in the new storage.
Key = Any
"""An id as a dictionary key; not all BSON values can be one."""


def key_of(id: Any) -> Key:
    return id if type(id).__hash__ is not None else repr(id)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileToMove:
    """One file that should be in the new storage."""

    name: str
    """Its name in the new storage."""
    stored: StoredFile
    """The original file."""
    newest: bool
    """Whether it is the current revision of its name."""


class Standing:
    """Which files of a page are already in the new storage.

    They are looked up for a whole page at once; a file is compared only if its name is taken."""

    def __init__(self, new: GridFSStorage, wanted: Sequence[FileToMove]) -> None:
        self._new = new
        self._own: dict[str, set[Key]] = {}
        for each in wanted:
            self._own.setdefault(each.name, set()).add(key_of(each.stored.id))
        ids = [each.stored.id for each in wanted]
        names = [new.full_name(each.name) for each in wanted]
        files, trash = new.bucket.files, new.bucket.trash
        self._copies = {key_of(each["_id"]): each for each in files.find({"_id": {"$in": ids}})}
        self._trashed = {
            key_of(each["_id"]) for each in trash.find({"_id": {"$in": ids}}, {"_id": 1})
        }
        self._named: dict[str, list[dict[str, Any]]] = {}
        for document in files.find(_named(new, names), sort={"uploadDate": 1, "_id": 1}):
            for name in _names_of(document):
                self._named.setdefault(name, []).append(document)

    def is_copied(self, wanted: FileToMove) -> bool:
        """Whether an earlier run copied it."""
        copy = self._copies.get(key_of(wanted.stored.id))
        if copy is None or self._new.full_name(wanted.name) not in _names_of(copy):
            return False
        return plain_size(StoredFile.from_document(copy)) == plain_size(wanted.stored)

    def other(self, wanted: FileToMove) -> StoredFile | None:
        """The current one among the files with its name that are not copies of its revisions."""
        others = self._others(wanted)
        return StoredFile.from_document(others[-1]) if others else None

    def is_free(self, wanted: FileToMove) -> bool:
        """Whether its id is free."""
        key = key_of(wanted.stored.id)
        return key not in self._copies and key not in self._trashed

    def is_new(self, wanted: FileToMove) -> bool:
        """Whether both its id and its name are free."""
        return self.is_free(wanted) and not self._others(wanted)

    def obstacle(self, wanted: FileToMove) -> str | None:
        """The reason why it cannot be copied, as a sentence; None if it can."""
        key = key_of(wanted.stored.id)
        if key in self._copies:
            return "The new storage has another file with its id."
        if key in self._trashed:
            return "A file with its id is in the trash of the new bucket; restore or purge it."
        if self._others(wanted):
            return "The new storage has another file of its name."
        return None

    def _others(self, wanted: FileToMove) -> list[dict[str, Any]]:
        named = self._named.get(self._new.full_name(wanted.name), ())
        return [each for each in named if key_of(each["_id"]) not in self._own[wanted.name]]


def same_content(old: GridFSStorage, a: StoredFile, new: GridFSStorage, b: StoredFile) -> bool:
    return plain_size(a) == plain_size(b) and _digest(old, a) == _digest(new, b)


def _digest(storage: GridFSStorage, stored: StoredFile) -> str:
    found = hashlib.sha256()
    for piece in storage.read_range(stored, 0, plain_size(stored)):
        found.update(piece)
    return found.hexdigest()


def _named(new: GridFSStorage, names: Sequence[str]) -> dict[str, Any]:
    by_filename: dict[str, Any] = {"filename": {"$in": list(names)}}
    if not new.options.deduplicate:
        return by_filename
    return {"$or": [by_filename, {"metadata.aliases.name": {"$in": list(names)}}]}


def _names_of(document: dict[str, Any]) -> set[str]:
    aliases = (document.get("metadata") or {}).get("aliases") or ()
    return {document["filename"], *(each["name"] for each in aliases)}
