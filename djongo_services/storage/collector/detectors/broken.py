"""Whether a file's chunks match its files document, and if not, what is wrong with them.

The pass over the bucket finds files that may be broken. They are checked again, chunk by chunk,
before they are reported: since the pass they may have been deleted, and a driver may have stored an
extra empty chunk, which the specification lets readers ignore.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from bson.binary import OLD_BINARY_SUBTYPE, Binary

from djongo_services.storage.collector.bson_order import Key, sort_key
from djongo_services.storage.collector.collections import BucketCollections, Document
from djongo_services.storage.collector.decoding import (
    CHECKSUMS,
    READ_AT_ONCE,
    SIZED,
    WHOLE,
    checksum_of,
    expected_chunks,
    size_and_data,
)

_INNER_LENGTH = 4
"""The size of the inner length in bytes."""


def examine(collections: BucketCollections, ids: Sequence[Any], *, read: bool) -> dict[Key, str]:
    """The broken files among these ids, with the reason as a phrase.

    ``read`` also compares checksums, and reads every byte for that.
    """
    found = collections.files.find({"_id": {"$in": list(ids)}}, CHECKSUMS)
    documents = {sort_key(document["_id"]): document for document in found}
    cursor = collections.chunks.find(
        {"files_id": {"$in": list(ids)}},
        WHOLE if read else SIZED,
        sort=[("files_id", 1), ("n", 1)],
        batch_size=READ_AT_ONCE if read else 1_000,
    )
    broken: dict[Key, str] = {}
    asked: list[Document] = []
    with cursor:
        for key, chunks in groupby(cursor, lambda chunk: sort_key(chunk.get("files_id"))):
            document = documents.pop(key, None)
            if document is not None and (reason := problem(document, chunks)):
                broken[key] = reason
                asked.append(document)
    if not read:
        _reconsider(collections, asked, broken)
    without = ((key, problem(document, ())) for key, document in documents.items())
    return broken | {key: reason for key, reason in without if reason}


def _reconsider(
    collections: BucketCollections, documents: Iterable[Document], broken: dict[Key, str]
) -> None:
    """Correct the sizes of files whose data is of the old binary subtype: the server counts the
    length that this has inside of it."""
    for document in documents:
        query = {"files_id": {"$eq": document["_id"]}}
        first = collections.chunks.find_one(query, {"data": 1})
        data = first and first.get("data")
        if not isinstance(data, Binary) or data.subtype != OLD_BINARY_SUBTYPE:
            continue
        chunks = collections.chunks.find(query, SIZED, sort=[("files_id", 1), ("n", 1)])
        with chunks:
            sizes = ({**each, "size": each["size"] - _INNER_LENGTH} for each in chunks)
            reason = problem(document, sizes)
        if reason is None:
            del broken[sort_key(document["_id"])]


def problem(document: Document, chunks: Iterable[Mapping[str, Any]]) -> str | None:
    """What is wrong with a file, or None."""
    expected = expected_chunks(document)
    if expected is None:
        return "its length or chunkSize is not a number of bytes"
    digest = hashlib.sha256()
    seen, read = 0, False
    for chunk in chunks:
        size, data = size_and_data(chunk)
        if seen >= expected:
            if size:
                return f"chunk {chunk.get('n')} is superfluous"
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
    """The number of bytes in a chunk: all except the last one are full."""
    size = int(document["chunkSize"])
    return size if number < expected - 1 else int(document["length"]) - size * (expected - 1)


def _chunk_problem(n: Any, size: int, number: int, wanted: int) -> str | None:
    if n != number:
        return f"chunk {number} is missing"
    if size < 0:
        return f"chunk {number} contains no binary data"
    if size != wanted:
        return f"chunk {number} has {size:,} bytes instead of {wanted:,}"
    return None
