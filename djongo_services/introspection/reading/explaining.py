"""Whether an index is multikey, asked of the query planner: servers before 6.0 tell only there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.introspection.catalog import Index
from djongo_services.introspection.reading.listing import Document


def explain_multikey(
    database: Database[Document], collection: str, indexes: Sequence[Index]
) -> dict[str, bool]:
    """By index name; one planned (not executed) query for each index that accepts a hint."""
    found = {}
    for index in indexes:
        if _takes_hint(index):
            multikey = _explain(database, collection, index.name)
            if multikey is not None:
                found[index.name] = multikey
    return found


def never_multikey(index: Index) -> bool:
    """``_id`` cannot hold an array."""
    return index.is_id or index.clustered


def _takes_hint(index: Index) -> bool:
    plannable = index.type != "wildcard" and not index.hidden and index.build is None
    return plannable and not never_multikey(index)


def _explain(database: Database[Document], collection: str, name: str) -> bool | None:
    query = {"find": collection, "filter": {}, "hint": name, "limit": 1}
    try:
        plan = database.command(
            "explain",
            query,
            verbosity="queryPlanner",
            read_preference=database.read_preference,
            codec_options=database.codec_options,
        )
    except OperationFailure:
        return None
    scans = list(_scans(plan.get("queryPlanner"), name))
    return any(scans) if scans else None


def _scans(plan: Any, name: str) -> list[bool]:
    """Of every index scan in the plan, which differs between engines and nests by shards."""
    if isinstance(plan, list):
        return [scan for part in plan for scan in _scans(part, name)]
    if not isinstance(plan, dict):
        return []
    own = [bool(plan["isMultiKey"])] if _is_scan(plan, name) else []
    return own + [scan for part in plan.values() for scan in _scans(part, name)]


def _is_scan(plan: dict[str, Any], name: str) -> bool:
    return plan.get("indexName") == name and "isMultiKey" in plan
