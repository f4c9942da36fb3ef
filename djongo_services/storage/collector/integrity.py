"""Whether a file's chunks are what its files document says, and what is wrong with them.

The pass over the bucket tells which files cannot be right. Those are looked at once more, chunk by
chunk, before anything is said about them: since the pass they may have been deleted, and a driver
may have stored an empty chunk too many, which the specification lets readers pass over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from djongo_services.storage.collector.chunk_runs import SIZED, WHOLE, Sizes, size_and_data
from djongo_services.storage.collector.file_rows import CHECKSUMS, expected_chunks
from djongo_services.storage.collector.order import Key, sort_key
from djongo_services.storage.collector.places import Document, Places

READ_AT_ONCE = 8
"""Chunks in a batch when they are read whole: 2 MB of the default size. More would be faster where
files are small, but a batch of a large file would take 16 MB, several times over."""


def has_its_bytes(document: Mapping[str, Any], sizes: Sizes) -> bool:
    """Whether chunks of the right number also hold what they should, as far as was read."""
    size = document.get("chunkSize")
    return (
        sizes.total == document.get("length")
        and sizes.smallest in (None, size)
        and sizes.largest in (None, size)
        and sizes.sha256 in (None, checksum_of(document) or sizes.sha256)
    )


def checksum_of(document: Mapping[str, Any]) -> str | None:
    """SHA-256 of its bytes, where whoever stored the file knew it."""
    metadata = document.get("metadata")
    found = metadata.get("sha256") if isinstance(metadata, Mapping) else None
    return found.lower() if isinstance(found, str) else None


def examine(places: Places, ids: Sequence[Any], *, read: bool) -> dict[Key, str]:
    """Those of the files that are broken, with the reason as half a sentence.

    ``read`` compares checksums too, and reads every byte for it.
    """
    found = places.files.find({"_id": {"$in": list(ids)}}, CHECKSUMS)
    documents = {sort_key(document["_id"]): document for document in found}
    cursor = places.chunks.find(
        {"files_id": {"$in": list(ids)}},
        WHOLE if read else SIZED,
        sort=[("files_id", 1), ("n", 1)],
        batch_size=READ_AT_ONCE if read else 1_000,
    )
    broken: dict[Key, str] = {}
    with cursor:
        for key, chunks in groupby(cursor, lambda chunk: sort_key(chunk.get("files_id"))):
            document = documents.pop(key, None)
            if document is not None and (reason := problem(document, chunks)):
                broken[key] = reason
    without = ((key, problem(document, ())) for key, document in documents.items())
    return broken | {key: reason for key, reason in without if reason}


def problem(document: Document, chunks: Iterable[Mapping[str, Any]]) -> str | None:
    """What is wrong with a file, if anything is."""
    expected = expected_chunks(document)
    if expected is None:
        return "its length or its chunkSize is no number of bytes"
    digest = hashlib.sha256()
    seen, read = 0, False
    for chunk in chunks:
        size, data = size_and_data(chunk)
        if seen >= expected:
            if size:
                return f"chunk {chunk.get('n')} is one too many"
            continue
        if wrong := _chunk_problem(chunk.get("n"), size, seen, _wanted(document, seen, expected)):
            return wrong
        if data is not None:
            read = True
            digest.update(data)
        seen += 1
    if seen < expected:
        return f"chunk {seen} of {expected:,} is missing" if seen else "all its chunks are missing"
    checksum = checksum_of(document)
    if read and checksum not in (None, digest.hexdigest()):
        return "its bytes do not have the SHA-256 of its metadata"
    return None


def _wanted(document: Document, number: int, expected: int) -> int:
    """Bytes of a chunk: all but the last one are full."""
    size = int(document["chunkSize"])
    return size if number < expected - 1 else int(document["length"]) - size * (expected - 1)


def _chunk_problem(n: Any, size: int, number: int, wanted: int) -> str | None:
    if n != number:
        return f"chunk {number} is missing"
    if size < 0:
        return f"chunk {number} holds no bytes"
    if size != wanted:
        return f"chunk {number} has {size:,} bytes instead of {wanted:,}"
    return None
