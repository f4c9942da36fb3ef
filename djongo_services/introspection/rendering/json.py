"""A report as JSON, for programs; ``docs/inspectmongo-json.md`` documents every key.

Keys are always there and always in this order; what is not known is null. Values that come from
the database are relaxed Extended JSON.
"""

from __future__ import annotations

from typing import Any, Final

from djongo_services.abilities import Abilities
from djongo_services.formatting import extended_json
from djongo_services.introspection.catalog import Collection, Index, Validator
from djongo_services.introspection.path import render_path
from djongo_services.introspection.report import (
    ArrayLengths,
    CollectionReport,
    Coverage,
    Field,
    Finding,
    MapKeys,
    Reference,
    Report,
    ValueSummary,
)

FORMAT_VERSION: Final = 1
"""Raised when a key changes its meaning or goes; new keys may come without."""

Json = dict[str, Any]


def render_json(report: Report) -> str:
    return extended_json(report_document(report), indent=2) + "\n"


def report_document(report: Report) -> Json:
    """The report as dicts and lists, with BSON values as they are."""
    return {
        "format_version": FORMAT_VERSION,
        "server": _server(report.server),
        "database": report.database,
        "inspected_at": report.inspected_at.isoformat(timespec="seconds")
        if report.inspected_at
        else None,
        "stopped": report.stopped,
        "collections": [_collection(found) for found in report.collections],
    }


def _server(server: Abilities) -> Json:
    return {
        "version": server.version,
        "feature_compatibility": server.feature_compatibility,
        "topology": server.topology,
        "set_name": server.set_name,
        "members": list(server.members),
        "transactions": server.transactions,
    }


def _collection(report: CollectionReport) -> Json:
    collection, profile = report.collection, report.profile
    return {
        "name": collection.name,
        "type": collection.type,
        "count": _count(report),
        "uuid": str(collection.uuid) if collection.uuid else None,
        "options": dict(collection.options),
        "validator": _validator(collection.validator),
        "statistics": _statistics(collection),
        "indexes": [_index(index) for index in collection.indexes],
        "fields": [_field(found) for found in profile.walk()] if profile else [],
        "references": [_reference(reference) for reference in report.references],
        "coverage": _coverage(profile.coverage) if profile else None,
        "warnings": [_warning(warning) for warning in report.warnings],
        "muted": report.muted,
        "unavailable": [
            {"what": missing.what, "reason": missing.reason} for missing in collection.unavailable
        ],
    }


def _count(report: CollectionReport) -> int | None:
    if report.profile is not None:
        return report.profile.coverage.documents
    statistics = report.collection.statistics
    return statistics.count if statistics else None


def _validator(validator: Validator | None) -> Json | None:
    if validator is None:
        return None
    return {
        "query": dict(validator.query),
        "level": validator.level,
        "action": validator.action,
    }


def _statistics(collection: Collection) -> Json | None:
    statistics = collection.statistics
    if statistics is None:
        return None
    return {
        "count": statistics.count,
        "size": statistics.size,
        "storage_size": statistics.storage_size,
        "index_size": statistics.index_size,
    }


def _index(index: Index) -> Json:
    usage = index.usage
    return {
        "name": index.name,
        "type": index.type,
        "keys": [{"field": name, "direction": direction} for name, direction in index.keys],
        "properties": list(index.properties),
        "definition": dict(index.definition),
        "size": index.size,
        "usage": None
        if usage is None
        else [
            {"host": used.host, "operations": used.operations, "since": used.since.isoformat()}
            for used in usage
        ],
        "build": {"done": index.build.done, "total": index.build.total} if index.build else None,
    }


def _field(field: Field) -> Json:
    return {
        "path": field.name,
        "parents": field.parents,
        "present": field.present,
        "missing": field.missing,
        "null": field.null,
        "probability": field.probability,
        "types": {
            name: {"count": found.count, "probability": found.probability}
            for name, found in field.types.items()
        },
        "lengths": _lengths(field.lengths),
        "map": _map(field.map),
        "values": _values(field.values),
    }


def _lengths(lengths: ArrayLengths | None) -> Json | None:
    if lengths is None:
        return None
    return {
        "minimum": lengths.minimum,
        "maximum": lengths.maximum,
        "mean": lengths.mean,
        "histogram": [
            {"up_to": bound, "count": count} for bound, count in sorted(lengths.histogram.items())
        ],
    }


def _map(keys: MapKeys | None) -> Json | None:
    if keys is None:
        return None
    return {
        "format": keys.format,
        "distinct": keys.distinct,
        "distinct_is_bound": keys.distinct_is_bound,
    }


def _values(values: ValueSummary | None) -> Json | None:
    if values is None:
        return None
    return {
        "minimum": values.minimum,
        "maximum": values.maximum,
        "shortest": values.shortest,
        "longest": values.longest,
        "distinct": values.distinct,
        "distinct_is_bound": values.distinct_is_bound,
        "constant": values.constant,
        "enum": [{"value": value, "count": count} for value, count in values.enum],
        "formats": dict(values.formats),
        "boolean_like": values.boolean_like,
        "exact": values.exact,
        "masked": values.masked,
    }


def _reference(reference: Reference) -> Json:
    return {
        "path": render_path(reference.path),
        "target": reference.target,
        "target_path": reference.target_path,
        "kind": reference.kind,
        "many": reference.many,
        "unique": reference.unique,
        "checked": reference.checked,
        "found": reference.found,
        "confidence": reference.confidence,
        "complete": reference.complete,
    }


def _coverage(coverage: Coverage) -> Json:
    return {
        "requested": coverage.requested,
        "reached": coverage.reached,
        "documents": coverage.documents,
        "examined": coverage.examined,
        "proven": coverage.proven,
        "rounds": coverage.rounds,
        "margin": coverage.margin,
        "seconds": round(coverage.seconds, 3),
        "stopped": coverage.stopped,
    }


def _warning(warning: Finding) -> Json:
    return {
        "code": warning.code,
        "message": warning.message,
        "path": warning.path,
        "paths": list(warning.paths or filter(None, [warning.path])),
        "count": warning.count,
        "examples": list(warning.examples),
    }
