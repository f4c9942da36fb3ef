"""Unions in a transaction, where the server refuses ``$unionWith``.

The backend asks so for ``QuerySet.union()``, and from its version 6 on for ``aggregate()`` and
``count()`` as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from djongo_services.patching import Method, patch
from djongo_services.transaction import state

Document = dict[str, Any]


def patch_queries(wrapper_class: type[Any]) -> None:
    """Those of the backend whose connections these are."""
    compiler = import_module(wrapper_class.ops_class.compiler_module)
    patch(compiler.SQLCompiler.query_class, "get_cursor", _asking_otherwise)


def _asking_otherwise(original: Method) -> Method:
    def get_cursor(query: Any) -> Any:
        connection = query.compiler.connection
        if state.innermost(("DATABASES", connection.alias)) is not None:
            pipeline = query.get_pipeline()
            if has_union(pipeline):
                without = without_union(query.compiler.collection_name, pipeline)
                query.get_pipeline = lambda: without
        return original(query)

    return get_cursor


def has_union(pipeline: Sequence[Document]) -> bool:
    return any("$unionWith" in stage for stage in pipeline)


def without_union(collection: str, pipeline: list[Document]) -> list[Document]:
    """``$unionWith``, which the server refuses in a transaction, by ``$lookup``.

    One document for each part looks its part up; the parts are then put together in their order.
    ``$facet`` makes them of whatever is in the collection, also where that is empty.
    """
    at = next(n for n, stage in enumerate(pipeline) if "$unionWith" in stage)
    parts: list[tuple[str | None, list[Document]]] = [(collection, pipeline[:at])]
    while at < len(pipeline) and "$unionWith" in pipeline[at]:
        union = pipeline[at]["$unionWith"]
        parts.append((union.get("coll"), union.get("pipeline", [])))
        at += 1
    lookups = [_of_part(number, *part) for number, part in enumerate(parts)]
    return [
        {"$limit": 1},
        {"$facet": {"any": [{"$limit": 1}]}},
        {"$project": {"part": {"$range": [0, len(parts)]}}},
        {"$unwind": "$part"},
        *lookups,
        {"$project": {"found": {"$concatArrays": [f"$found{n}" for n in range(len(parts))]}}},
        {"$unwind": "$found"},
        {"$replaceRoot": {"newRoot": "$found"}},
        *pipeline[at:],
    ]


def _of_part(number: int, collection: str | None, stages: list[Document]) -> Document:
    """Without a collection, the first stage is ``$documents``: it may stand nowhere else."""
    first = 0 if collection else 1
    chosen = {"$match": {"$expr": {"$eq": ["$$part", number]}}}
    return {
        "$lookup": {
            **({"from": collection} if collection else {}),
            "let": {"part": "$part"},
            "pipeline": [*stages[:first], chosen, *stages[first:]],
            "as": f"found{number}",
        }
    }
