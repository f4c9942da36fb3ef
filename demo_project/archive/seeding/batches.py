from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from pymongo.collection import Collection

BATCH = 1_000


def insert(collection: Collection[Any], documents: Iterable[dict[str, Any]]) -> None:
    """Insert in bounded batches, without checks by the collection's validator."""
    source = iter(documents)
    while batch := list(itertools.islice(source, BATCH)):
        collection.insert_many(batch, ordered=False, bypass_document_validation=True)
