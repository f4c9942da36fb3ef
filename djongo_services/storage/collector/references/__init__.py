"""Which files are in use, according to rows, documents and the project's providers."""

from __future__ import annotations

from djongo_services.storage.collector.references.finding import (
    buckets_of_storages,
    find_references,
)
from djongo_services.storage.collector.references.sources import References, ReferenceSource

__all__ = ["ReferenceSource", "References", "buckets_of_storages", "find_references"]
