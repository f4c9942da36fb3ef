"""Documents that a validator refuses: how many, which, and why."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import WriteError

from djongo_services.bson_decoding import LENIENT
from djongo_services.server_errors import DOCUMENT_REFUSED

Document = dict[str, Any]

_COUNT_COMMENT = "djongo_services counts documents that a validator refuses"


@dataclass(frozen=True, kw_only=True, slots=True)
class Violator:
    id: Any
    """The document's ``_id``."""
    reasons: tuple[str, ...]
    """``price: is a string, must be int or long``; empty before MongoDB 5.0, which gives no
    reasons."""


def violating(query: Mapping[str, Any]) -> Document:
    """The filter for documents that the validator ``query`` refuses."""
    return {"$nor": [dict(query)]}


def count_violators(collection: Collection[Document], query: Mapping[str, Any]) -> int:
    """The number of violators, counted on the server in one scan; no document is transferred."""
    return collection.count_documents(violating(query), comment=_COUNT_COMMENT)


def count_each(
    collection: Collection[Document], queries: Mapping[str, Mapping[str, Any]]
) -> dict[str, int]:
    """How many documents match each of the named queries, in one scan on the server."""
    keys = {str(place): name for place, name in enumerate(queries)}
    pipeline: list[Document] = [
        {"$match": {"$or": list(queries.values())}},
        {"$facet": {key: [{"$match": queries[keys[key]]}, {"$count": "count"}] for key in keys}},
    ]
    (found,) = collection.aggregate(pipeline, comment=_COUNT_COMMENT)
    return {name: found[key][0]["count"] if found[key] else 0 for key, name in keys.items()}


def find_violators(
    database: Database[Document],
    collection: str,
    query: Mapping[str, Any],
    *,
    limit: int,
    checks: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Violator]:
    """The first violators in natural order.

    Parts of the query's ``$and`` that are among ``checks`` are identified by name.

    The server explains a refusal only to a client that writes, so each document is sent to an empty
    collection with the same validator; it is refused there, too, and nothing is stored. The
    collection is named ``djongo_services_probe_...`` and dropped at the end.
    """
    database = database.with_options(codec_options=LENIENT)
    raw = database[collection].with_options(
        codec_options=LENIENT.with_options(document_class=RawBSONDocument)
    )
    found = raw.find(violating(query)).limit(limit)
    named = _Named(query, checks or {})
    probe = f"djongo_services_probe_{uuid.uuid4().hex}"
    database.create_collection(probe, validator=dict(query))
    try:
        for document in found:
            yield Violator(id=document["_id"], reasons=_reasons(database, probe, document, named))
    finally:
        database.drop_collection(probe)


def _reasons(
    database: Database[Document], probe: str, document: RawBSONDocument, named: _Named
) -> tuple[str, ...]:
    try:
        database[probe].insert_one(document)
    except WriteError as error:
        if error.code != DOCUMENT_REFUSED:
            raise
        details = (error.details or {}).get("errInfo", {}).get("details")
        return tuple(named.explain(details)) if details else ()
    return ()


class _Named:
    """Explains refusals by a query in which some parts have names."""

    def __init__(self, query: Mapping[str, Any], checks: Mapping[str, Mapping[str, Any]]) -> None:
        self._parts = query.get("$and", ())
        self._checks = checks

    def explain(self, details: Mapping[str, Any]) -> Iterator[str]:
        if details.get("operatorName") != "$and":
            yield from explain(details)
            return
        for broken in details.get("clausesNotSatisfied", ()):
            name = self._name(broken.get("index"))
            if name is None:
                yield from explain(broken["details"])
            else:
                yield f"breaks the constraint {name}"

    def _name(self, index: Any) -> str | None:
        if not isinstance(index, int) or index >= len(self._parts):
            return None
        part = self._parts[index]
        return next((name for name, check in self._checks.items() if check == part), None)


def explain(details: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The server's ``errInfo.details`` as sentences, one for each broken rule."""
    for rule in details.get("schemaRulesNotSatisfied", ()):
        yield from _schema_rule(rule, path)
    for part in details.get("clausesNotSatisfied", ()):
        yield from explain(part["details"], path)
    if "schemaRulesNotSatisfied" not in details and "clausesNotSatisfied" not in details:
        yield from _query_rule(details, path)


def _schema_rule(rule: Mapping[str, Any], path: str) -> Iterator[str]:
    match rule.get("operatorName"):
        case "properties" | "patternProperties":
            for item in rule.get("propertiesNotSatisfied", ()):
                below = _join(path, item["propertyName"])
                for detail in item["details"]:
                    yield from _schema_rule(detail, below)
        case "required":
            names = ", ".join(map(str, rule.get("missingProperties", ())))
            yield f"{path or 'the document'}: {names} missing"
        case "additionalProperties" if "additionalProperties" in rule:
            names = ", ".join(map(str, rule["additionalProperties"]))
            yield f"{path or 'the document'}: {names} not known to the model"
        case "items" if "details" in rule:
            below = f"{path}[{rule.get('itemIndex', '')}]"
            for detail in rule["details"]:
                yield from _schema_rule(detail, below)
        case "anyOf" | "oneOf" if "schemasNotSatisfied" in rule:
            yield from _alternatives(rule["schemasNotSatisfied"], path)
        case "allOf" if "schemasNotSatisfied" in rule:
            for schema in rule["schemasNotSatisfied"]:
                for detail in schema["details"]:
                    yield from _schema_rule(detail, path)
        case _:
            yield from _leaf(rule, path)


def _alternatives(schemas: Any, path: str) -> Iterator[str]:
    """What is wrong with each alternative; that the value is not blank is omitted."""
    told = [
        [reason for detail in schema["details"] for reason in _schema_rule(detail, path)]
        for schema in schemas
        if not any(_only_blank(detail) for detail in schema["details"])
    ]
    if len(told) == 1:
        yield from told[0]
    elif told:
        yield ", or ".join(" and ".join(reasons) for reasons in told)


def _only_blank(rule: Mapping[str, Any]) -> bool:
    choices = rule.get("specifiedAs", {}).get("enum")
    return choices is not None and not any(choices)


def _leaf(rule: Mapping[str, Any], path: str) -> Iterator[str]:
    name = path or "the document"
    wanted = rule.get("specifiedAs", {})
    match rule.get("operatorName"):
        case "bsonType" | "type" as operator:
            yield f"{name}: is {rule.get('consideredType')}, must be {_any_of(wanted[operator])}"
        case "enum":
            yield f"{name}: {_considered(rule)} is not among the choices"
        case "pattern":
            pattern = _short(wanted.get("pattern"))
            yield f"{name}: {_considered(rule)} does not match {pattern}"
        case "not":
            # The server does not say which item is repeated.
            yield f"{name}: matches what is excluded"
        case "dependencies":
            for broken in rule.get("failingDependencies", ()):
                missing = ", ".join(map(str, broken.get("missingProperties", ())))
                yield f"{name}: {broken.get('conditionalProperty')} requires {missing}".rstrip()
        case operator:
            bound = next(iter(wanted.values()), None) if wanted else None
            yield f"{name}: {_considered(rule)} breaks {operator} {_short(bound)}".rstrip()


def _considered(rule: Mapping[str, Any]) -> str:
    """The value that breaks the rule; for an object the server gives only the number of its
    keys."""
    if "consideredValue" in rule:
        value = rule["consideredValue"]
        return "null" if value is None else _short(value)
    keys = rule.get("numberOfProperties")
    match keys:
        case None:
            return "the value"
        case 0:
            return "{}"
        case 1:
            return "an object with 1 key"
        case _:
            return f"an object with {keys} keys"


def _query_rule(details: Mapping[str, Any], path: str) -> Iterator[str]:
    operator = details.get("operatorName", "a rule")
    wanted = details.get("specifiedAs")
    value = details.get("consideredValue")
    if isinstance(wanted, Mapping) and len(wanted) == 1:
        ((name, rule),) = wanted.items()
        if not name.startswith("$"):
            path, wanted = _join(path, name), rule
    shown = f" {_short(value)}" if value is not None else ""
    yield f"{path or 'the document'}:{shown} does not satisfy {_short(wanted) or operator}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _any_of(types: Any) -> str:
    return " or ".join(map(str, types)) if isinstance(types, list) else str(types)


def _short(value: Any) -> str:
    """At most 60 characters of the value, on one line, without control characters."""
    if value is None:
        return ""
    text = ascii(value) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
