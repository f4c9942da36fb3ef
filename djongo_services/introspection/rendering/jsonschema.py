"""A report as validators, ready for ``collMod``.

Of one collection asked for by name, the validator itself: ``{"$jsonSchema": {...}}``. Otherwise
an object from collection name to validator, without the views and time-series collections, which
MongoDB gives no validator, and without collections whose documents are unknown or none: a schema
of nothing would refuse everything.
"""

from __future__ import annotations

from typing import Any

from djongo_services.formatting import extended_json
from djongo_services.introspection.profiling.closed_schema import json_schema
from djongo_services.introspection.report import CollectionReport, Report


def render_json_schema(report: Report, *, single: bool = False) -> str:
    """``single``: the report is of one collection that was asked for by name, or of none where that
    was excluded as well."""
    if single and report.collections:
        document = _validator(report.collections[0]) or {}
    else:
        document = {
            found.collection.name: validator
            for found in report.collections
            if found.collection.type == "collection" and (validator := _validator(found))
        }
    return extended_json(document, indent=2) + "\n"


def _validator(report: CollectionReport) -> dict[str, Any] | None:
    if report.profile is None or not report.profile.fields:
        return None
    return {"$jsonSchema": json_schema(report.profile)}
