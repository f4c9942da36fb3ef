"""Unions in a transaction, where the server refuses ``$unionWith``.

The backend uses it for ``QuerySet.union()``, and from its version 6 on for ``aggregate()`` and
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
    """Patch the queries of the backend that these connections belong to."""
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
    """Replace ``$unionWith``, which the server refuses in a transaction, by ``$lookup``.

    One document for each part looks up its part; the parts are then concatenated in order.
    ``$facet`` creates these documents whatever the collection contains, even if it is empty.
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
    """The stages of a part. Without a collection, the first stage is ``$documents``, which must be
    the first."""
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
