"""One file from one storage to another, as the other would have stored it, with its id and date."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing

from djongo_services.introspection.progress import Stop
from djongo_services.storage.bucket import StoredFile, UploadStream
from djongo_services.storage.bucket.chunking import Chunker
from djongo_services.storage.codecs import Chain, plain_size
from djongo_services.storage.content_types import content_type_of
from djongo_services.storage.djongo.standing import Wanted
from djongo_services.storage.encoding import encoded, with_head
from djongo_services.storage.errors import CorruptFile, FileExists
from djongo_services.storage.gridfs import GridFSStorage

_OURS = frozenset({"contentType", "codecs", "size", "sha256", "exclusive", "shareable", "aliases"})
"""Keys of the metadata that say how a storage keeps a file, not what it is."""


class Stopped(Exception):
    """In the middle of a file, of which nothing is left."""


def copy(old: GridFSStorage, wanted: Wanted, new: GridFSStorage, stop: Stop | None) -> None:
    """Raises StorageError when it cannot be read as a whole, or somebody took its name."""
    original, filename = wanted.stored, new.full_name(wanted.name)
    with closing(_pieces(old, original, stop)) as source:
        head, pieces = with_head(source)
        kept = content_type_of(new.options.content_type, wanted.name, original, head)
        chain = Chain(new.options.codecs)
        # Nothing has its id: that was looked up for a whole page of files.
        chunker = Chunker(original.id, new.options.chunk_size)
        stream = UploadStream(new.bucket.layout, chunker, filename, {"contentType": kept})
        with stream.aborting():
            for piece in encoded(chain, pieces):
                stream.write(piece)
            document = stream.seal(chain.metadata)
    others = {key: value for key, value in original.metadata.items() if key not in _OURS}
    document["metadata"] = {**others, **document["metadata"]}
    document["uploadDate"] = original.upload_date
    if not wanted.newest:
        with stream.aborting():
            stream.publish(document)
        return
    got = new._publish(stream, document)
    if got != filename:
        new.delete(new.place.name(got))
        raise FileExists("Somebody else stored a file of this name at the same time.")


def _pieces(
    old: GridFSStorage, stored: StoredFile, stop: Stop | None
) -> Generator[bytes, None, None]:
    """All of a file, compared with the checksum that the driver of those days wrote."""
    written = stored.raw.get("md5")
    md5 = hashlib.md5(usedforsecurity=False) if isinstance(written, str) else None
    for piece in old.read_range(stored, 0, plain_size(stored)):
        if stop is not None and stop.is_set():
            raise Stopped
        if md5 is not None:
            md5.update(piece)
        yield piece
    if md5 is not None and md5.hexdigest() != written:
        raise CorruptFile("Its bytes do not have the checksum that they were stored with.")
