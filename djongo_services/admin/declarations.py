"""What models say of a collection, looked up beside what it is."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

from djongo_services.abilities import Abilities
from djongo_services.connections import Connection
from djongo_services.introspection.catalog import Collection, Index
from djongo_services.schema.diff.matching import match
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from djongo_services.schema.target import specs_for

Specs = Mapping[str, CollectionSpec]

_known: weakref.WeakKeyDictionary[Connection, Specs] = weakref.WeakKeyDictionary()


def specs_by_name(connection: Connection) -> Specs:
    """Of every collection that a model declares; worked out once, for models do not change.

    Raises SpecConflict where models contradict each other, and ImproperlyConfigured.
    """
    found = _known.get(connection)
    if found is None:
        found = _known[connection] = {spec.name: spec for spec in specs_for(connection)}
    return found


def declared_indexes(
    collection: Collection, spec: CollectionSpec | None, server: Abilities
) -> dict[str, IndexSpec]:
    """By the name that it has in the database, what each declared index is to be."""
    if spec is None:
        return {}
    pairs, _ = match(
        spec.indexes, _droppable(collection), server, collection.options.get("collation")
    )
    return {index.name: wanted for wanted, index in pairs if index is not None}


def _droppable(collection: Collection) -> list[Index]:
    return [index for index in collection.indexes if not (index.is_id or index.clustered)]
