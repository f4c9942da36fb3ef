"""What is asked of many collections at once, and how the answers read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from djongo_services.introspection.catalog import IndexUsage, Statistics
from djongo_services.introspection.reading.batches import Probe
from djongo_services.introspection.reading.listing import Document, Listed

_OF_STORAGE = ("count", "size", "storageSize", "totalIndexSize", "indexSizes", "timeseries")

STATISTICS = Probe(
    stage={"$collStats": {"storageStats": {}}},
    fields=tuple(f"storageStats.{name}" for name in _OF_STORAGE),
)
USAGE = Probe(stage={"$indexStats": {}}, fields=("name", "host", "accesses"))
MULTIKEY = Probe(stage={"$listCatalog": {}}, fields=("md.indexes.spec.name", "md.indexes.multikey"))


def statistics_of(entry: Listed, documents: Sequence[Document]) -> Statistics:
    """Summed over the shards, each of which answers with one document."""
    stats = [document["storageStats"] for document in documents]
    return Statistics(
        count=None if entry.type == "timeseries" else sum(map(_documents, stats)),
        size=_sum(stats, "size"),
        storage_size=_sum(stats, "storageSize"),
        index_size=_sum(stats, "totalIndexSize"),
    )


def index_sizes(documents: Sequence[Document]) -> dict[str, int]:
    """Bytes by index name, summed over the shards."""
    sizes: dict[str, int] = {}
    for document in documents:
        for name, size in document["storageStats"].get("indexSizes", {}).items():
            sizes[name] = sizes.get(name, 0) + int(size)
    return sizes


def usage_of(documents: Iterable[Document]) -> dict[str, tuple[IndexUsage, ...]]:
    """By index name, hosts in order."""
    usage: dict[str, list[IndexUsage]] = {}
    for document in sorted(documents, key=lambda document: str(document["host"])):
        accesses = document["accesses"]
        usage.setdefault(document["name"], []).append(
            IndexUsage(
                host=document["host"], operations=int(accesses["ops"]), since=accesses["since"]
            )
        )
    return {name: tuple(counts) for name, counts in usage.items()}


def multikey_of(documents: Sequence[Document]) -> dict[str, bool]:
    """By index name; multikey on any shard counts.

    ``$listCatalog`` shows the server's internal metadata without a promise of its form: what
    does not look as expected is left out.
    """
    found: dict[str, bool] = {}
    for document in documents:
        for entry in document.get("md", {}).get("indexes", ()):
            name, multikey = entry.get("spec", {}).get("name"), entry.get("multikey")
            if isinstance(name, str) and isinstance(multikey, bool):
                found[name] = found.get(name, False) or multikey
    return found


def _documents(stats: Document) -> int:
    # The collection of a time-series collection's buckets counts under another name.
    buckets = stats.get("timeseries", {}).get("bucketCount", 0)
    return int(stats.get("count", buckets))


def _sum(stats: Sequence[Document], name: str) -> int:
    return sum(int(one.get(name, 0)) for one in stats)
