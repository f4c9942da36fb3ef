"""Looking every value of a reference up, by the server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.introspection.profiling.extraction import Named, Stage, extraction
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.references.joining import join
from djongo_services.introspection.profiling.references.samples import KEY_TYPES, dbrefs
from djongo_services.introspection.progress import Stop
from djongo_services.introspection.report import Reference

_SIMPLE = {"locale": "simple"}


def verify(
    collection: Collection[Any],
    reference: Reference,
    *,
    beside: Named,
    stop: Stop | None = None,
) -> Reference:
    """The reference with the counts of all distinct values, ``complete`` set.

    ``beside`` as in :func:`~.extraction.extraction`. One scan of the collection, and one of the
    target's keys or a descent in its index for each distinct value: :mod:`.joining`. Where the
    server does not join (a missing privilege) the reference comes back as it was.
    """
    if reference.kind == "dbRef":
        values = dbrefs([reference.path], collection.database.name, beside=beside)
        values.append({"$match": {"to": {"$eq": reference.target}}})
    else:
        key_types = {"$match": {"v": {"$type": list(KEY_TYPES)}}}
        values = [*extraction([reference.path], beside=beside), key_types]
    pipeline: list[Stage] = [
        *values,
        *join(collection, reference.target, tuple(reference.target_path.split(".")), stop=stop),
        {
            "$group": {
                "_id": None,
                "checked": {"$sum": 1},
                "found": {"$sum": {"$cond": ["$known", 1, 0]}},
            }
        },
    ]
    try:
        rows = aggregate(collection, pipeline, stop=stop, collation=_SIMPLE)
    except OperationFailure:
        return reference
    if not rows:
        return reference
    row = rows[0]
    return replace(reference, checked=row["checked"], found=row["found"], complete=True)
