"""What is to be done about the options of one collection; most cannot be changed once it exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from djongo_services.introspection.catalog import Collection
from djongo_services.schema.diff.filters import freeze
from djongo_services.schema.diff.normal import same_collation
from djongo_services.schema.operations import DropCollection, Operation, SetCollectionTTL
from djongo_services.schema.plan import Change
from djongo_services.schema.spec import CollectionSpec

_FIXED = ("capped", "size", "max", "timeseries", "clusteredIndex", "viewOn", "storageEngine")
_CAPPED_SIZE_STEP = 256
"""The server rounds a capped collection's size up to a multiple of it."""


def diff_options(found: Collection, spec: CollectionSpec) -> list[Change]:
    """Options that the models state; what they leave open is left as it is."""
    return [_impossible(found, what) for what in fixed(found, spec)] + _diff_ttl(found, spec)


def fixed(found: Collection, spec: CollectionSpec) -> list[str]:
    """What differs and cannot be changed on a collection that exists."""
    differences = [
        f"{name} is {_shown(found.options.get(name))}, wanted {_shown(wanted)}"
        for name, wanted in spec.options.items()
        if name in _FIXED and not _same_option(name, wanted, found.options.get(name))
    ]
    collation = spec.options.get("collation")
    if collation is not None and not same_collation(collation, found.options.get("collation")):
        differences.append("its default collation is another")
    if "capped" not in spec.options and found.capped:
        differences.append("it is capped, and the models want it uncapped")
    return differences


def make_anew(
    found: Collection, differences: Sequence[str], created: Iterable[Operation]
) -> Change:
    """Of a collection without documents: nothing needs to be copied."""
    words = f"made anew, for it has no documents: {'; '.join(differences)}"
    dropped = DropCollection(collection=found.name)
    return Change(collection=found.name, sign="~", words=words, operations=(dropped, *created))


def _diff_ttl(found: Collection, spec: CollectionSpec) -> list[Change]:
    if "expireAfterSeconds" not in spec.options:
        return []
    before, after = found.options.get("expireAfterSeconds"), spec.options["expireAfterSeconds"]
    if before == after:
        return []
    operation = SetCollectionTTL(collection=found.name, before=before, after=after)
    words = operation.words()
    return [Change(collection=found.name, sign="~", words=words, operations=(operation,))]


def _same_option(name: str, wanted: Any, found: Any) -> bool:
    if name == "size" and found is not None:
        return -(-int(wanted) // _CAPPED_SIZE_STEP) * _CAPPED_SIZE_STEP == int(found)
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        # The server adds what was left open: granularity, bucketMaxSpanSeconds, v, name.
        return all(freeze(found.get(key)) == freeze(value) for key, value in wanted.items())
    return bool(freeze(wanted) == freeze(found))


def _impossible(found: Collection, what: str) -> Change:
    words = (
        f"{what}; MongoDB cannot change that on an existing collection: "
        f"copy the documents into a new one"
    )
    return Change(collection=found.name, sign="!", words=words)


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)
