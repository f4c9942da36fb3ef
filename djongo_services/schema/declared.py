"""The indexes of a collection that a model declares."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Container, Mapping

from django.core.exceptions import ImproperlyConfigured

from djongo_services.abilities import Abilities
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection.catalog import Collection
from djongo_services.schema.diff.matching import fitting, match
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from djongo_services.schema.target import specs_for


def declared_indexes(
    collection: Collection, spec: CollectionSpec | None, server: Abilities
) -> dict[str, IndexSpec]:
    """The spec of each declared index, by its name in the database."""
    if spec is None:
        return {}
    droppable = [index for index in collection.indexes if not (index.is_id or index.clustered)]
    inherited = collection.options.get("collation")
    wanted = fitting(spec.indexes, droppable, inherited, never_null=spec.never_null)
    pairs, _ = match(wanted, droppable, server, inherited)
    return {index.name: wanted for wanted, index in pairs if index is not None}


def declared_on(connection: Connection) -> Callable[[Collection, Abilities], Container[str]]:
    """A function that gives an inspection the names of a collection's declared indexes.

    It returns None if the models cannot be understood; a plan explains why.
    """
    try:
        specs = {spec.name: spec for spec in specs_for(connection)}
    except (ImproperlyConfigured, DjongoServicesError):
        specs = {}
    return lambda collection, server: declared_indexes(
        collection, specs.get(collection.name), server
    )


Specs = Mapping[str, CollectionSpec]

_known: weakref.WeakKeyDictionary[Connection, Specs] = weakref.WeakKeyDictionary()


def specs_by_name(connection: Connection) -> Specs:
    """The specs of every collection that a model declares; computed once, as models do not change.

    Raises SpecConflict if models contradict each other, and ImproperlyConfigured.
    """
    found = _known.get(connection)
    if found is None:
        found = _known[connection] = {spec.name: spec for spec in specs_for(connection)}
    return found
