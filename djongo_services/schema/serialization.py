"""Plans and operations as BSON and back, without loss.

BSON is the form in which the server keeps all this. Extended JSON is not sufficient: the query
``{"$regex": "^a", "$ne": "b"}`` becomes a mere pattern when it is read from there, and validators
contain many such queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bson import decode, encode
from bson.binary import Binary, UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.operations import (
    BuildIndexes,
    CreateCollection,
    DropIndex,
    MakeUnique,
    Operation,
    Phase,
    PrepareUnique,
    SetCollectionTTL,
    SetHidden,
    SetTTL,
    SetValidator,
)
from djongo_services.schema.plan import Change, Plan, RuleChange
from djongo_services.schema.remaking import FinishRemaking, RemakeCollection
from djongo_services.schema.spec import IndexSpec, Problem

_KINDS: dict[str, type[Operation]] = {
    kind.kind: kind
    for kind in (
        CreateCollection,
        RemakeCollection,
        FinishRemaking,
        SetValidator,
        SetCollectionTTL,
        SetTTL,
        SetHidden,
        PrepareUnique,
        MakeUnique,
        BuildIndexes,
        DropIndex,
    )
}
# What this decodes, it encodes to the same bytes.
_EXACT: CodecOptions[dict[str, Any]] = CodecOptions(
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
# As the catalog decodes the same validator, so that the two can be compared.
_CATALOG: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)


_UNREADABLE = (BSONError, KeyError, TypeError, ValueError)
"""Errors for values that this version would not have written."""


class PlanUnreadable(DjongoServicesError):
    """Another version of djongo_services wrote the plan."""


def plan_bytes(plan: Plan) -> bytes:
    return encode(
        {
            "database": plan.database,
            "fingerprint": plan.fingerprint,
            "collections": list(plan.collections),
            "changes": [_change_document(change) for change in plan.changes],
            "notes": [_change_document(note) for note in plan.notes],
            "problems": [{"subject": one.subject, "reason": one.reason} for one in plan.problems],
            "rules": dict(plan.rules),
            "waiting": list(plan.waiting),
        },
        codec_options=_EXACT,
    )


def plan_from(data: bytes) -> Plan:
    """The inverse of :func:`plan_bytes`. Raises PlanUnreadable."""
    document = _decoded(data)
    try:
        return Plan(
            database=document["database"],
            fingerprint=document["fingerprint"],
            collections=tuple(document["collections"]),
            changes=tuple(_change(item) for item in document["changes"]),
            notes=tuple(_change(item) for item in document["notes"]),
            problems=tuple(Problem(**item) for item in document["problems"]),
            rules=document["rules"],
            waiting=tuple(document["waiting"]),
        )
    except _UNREADABLE as error:
        raise PlanUnreadable from error


def operation_bytes(operation: Operation) -> bytes:
    return encode(_operation_document(operation), codec_options=_EXACT)


def operation_from(data: bytes) -> Operation:
    """The inverse of :func:`operation_bytes`. Raises PlanUnreadable."""
    try:
        return _operation(_decoded(data))
    except _UNREADABLE as error:
        raise PlanUnreadable from error


def _decoded(data: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = decode(data, codec_options=_EXACT)
        return document
    except (BSONError, TypeError) as error:
        raise PlanUnreadable from error


def _operation_document(operation: Operation) -> dict[str, Any]:
    arguments = {one.name: _plain(getattr(operation, one.name)) for one in fields(operation)}
    return {"kind": operation.kind, "arguments": arguments}


def _operation(document: Mapping[str, Any]) -> Operation:
    arguments = dict(document["arguments"])
    for name in ("before", "after"):
        if isinstance(arguments.get(name), Mapping):
            arguments[name] = _validator(arguments[name])
    for name in ("build_phase", "drop_phase"):
        if name in arguments:
            arguments[name] = Phase[arguments[name]]
    if "indexes" in arguments:
        arguments["indexes"] = tuple(_index(item) for item in arguments["indexes"])
    if isinstance(arguments.get("index"), Mapping):
        arguments["index"] = _index(arguments["index"])
    return _KINDS[document["kind"]](**arguments)


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "collection": change.collection,
        "sign": change.sign,
        "words": change.words,
        "operations": [_operation_document(step) for step in change.operations],
        "rules": [
            {one.name: getattr(rule, one.name) for one in fields(rule)} for rule in change.rules
        ],
        "found": change.found,
    }


def _change(document: Mapping[str, Any]) -> Change:
    return Change(
        collection=document["collection"],
        sign=document["sign"],
        words=document["words"],
        operations=tuple(_operation(step) for step in document["operations"]),
        rules=tuple(RuleChange(**rule) for rule in document["rules"]),
        found=document["found"],
    )


def _plain(value: Any) -> Any:
    match value:
        case Validator():
            query = value.bson or encode(value.query, codec_options=_EXACT)
            return {"query": Binary(query), "level": value.level, "action": value.action}
        case IndexSpec():
            return {
                "name": value.name,
                "keys": [list(key) for key in value.keys],
                "options": value.options,
            }
        case Phase():
            return value.name
        case tuple():
            return [_plain(item) for item in value]
    return value


def _validator(document: Mapping[str, Any]) -> Validator:
    data = bytes(document["query"])
    query: dict[str, Any] = decode(data, codec_options=_CATALOG)
    return Validator(
        query=query,
        level=document["level"],
        action=document["action"],
        bson=data,
    )


def _index(document: Mapping[str, Any]) -> IndexSpec:
    keys = tuple((name, direction) for name, direction in document["keys"])
    return IndexSpec(name=document["name"], keys=keys, options=document["options"])
