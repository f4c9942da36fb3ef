"""A plan for people, as ``+ ~ -`` lines, and for machines, as JSON that can be applied later."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from bson.json_util import CANONICAL_JSON_OPTIONS, dumps, loads
from django.core.signing import BadSignature, Signer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection.catalog import Validator
from djongo_services.introspection.rendering.printable import printable
from djongo_services.schema.operations import (
    BuildIndexes,
    CreateCollection,
    DropCollection,
    DropIndex,
    MakeUnique,
    Operation,
    Phase,
    PrepareUnique,
    Risk,
    SetCollectionTTL,
    SetHidden,
    SetTTL,
    SetValidator,
)
from djongo_services.schema.plan import Change, Plan, Sign
from djongo_services.schema.spec import IndexSpec, Problem

FORMAT_VERSION = 1

KINDS: dict[str, type[Operation]] = {
    kind.kind: kind
    for kind in (
        DropCollection,
        CreateCollection,
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


class PlanFileError(DjongoServicesError):
    """The plan file cannot be used."""


_STYLES = {"+": "green", "~": "yellow", "-": "red", "!": "bold red"}


def render_text(plan: Plan, *, color: bool = False) -> str:
    """Grouped by collection, one summary line at the end; ends with a newline."""
    lines: list[Text] = []
    for name, changes in plan.by_collection():
        lines.append(Text(printable(name), style="bold"))
        lines += [_line(change) for change in changes]
        lines.append(Text())
    if plan.notes:
        lines.append(Text("Left alone:"))
        lines += [Text(f"    {printable(f'{n.collection}: {n.words}')}") for n in plan.notes]
        lines.append(Text())
    if plan.problems:
        lines.append(Text("Not expressed in MongoDB:"))
        lines += [Text(f"    {printable(f'{p.subject}: {p.reason}')}") for p in plan.problems]
        lines.append(Text())
    lines.append(Text(summary(plan)))
    return on_console(lines, color=color)


def on_console(lines: Iterable[Text | Table], *, color: bool = False, width: int = 10_000) -> str:
    """As a terminal would show them; lines of text are not wrapped."""
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=color, no_color=not color, width=width, legacy_windows=False
    )
    for line in lines:
        console.print(line, soft_wrap=isinstance(line, Text))
    return stream.getvalue()


def summary(plan: Plan) -> str:
    """``Plan: 2 to add, 1 to change, 1 to drop.``, or that the database is in sync."""
    if plan.in_sync:
        return f"In sync: {plan.database} is what the models say."
    signs: tuple[tuple[Sign, str], ...] = (
        ("+", "to add"),
        ("~", "to change"),
        ("-", "to drop"),
        ("!", "that cannot be changed"),
    )
    counts = [f"{plan.count(sign)} {what}" for sign, what in signs if plan.count(sign)]
    return f"Plan: {', '.join(counts)}."


def render_json(plan: Plan) -> str:
    """The plan as a signed document; :func:`load` reads it back.

    ``{"format_version": 1, "database", "fingerprint", "collections": [...], "operations": [...],
    "changes": [...], "notes": [...], "problems": [...], "signature"}``.
    """
    document = _document(plan)
    document["signature"] = _signer().signature(_canonical(document))
    # Canonical Extended JSON tells int from long from double, which validators need; the version
    # is for whoever reads plain JSON.
    plain = json.loads(dumps(document, json_options=CANONICAL_JSON_OPTIONS))
    plain["format_version"] = FORMAT_VERSION
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def load(text: str) -> Plan:
    """A plan from its JSON.

    Raises PlanFileError when the text is no plan, is of another version, or was changed since it
    was written (Django's signer, with the project's SECRET_KEY).
    """
    try:
        document = loads(text, json_options=CANONICAL_JSON_OPTIONS)
    except ValueError as error:
        raise PlanFileError(f"The plan file is not JSON: {error}.") from None
    if not isinstance(document, dict) or "operations" not in document:
        raise PlanFileError("The file is no plan: make one with --plan --format json.")
    if document.get("format_version") != FORMAT_VERSION:
        found = document.get("format_version")
        raise PlanFileError(f"The plan is of format {found}, not {FORMAT_VERSION}; make a new one.")
    signature = document.pop("signature", "")
    try:
        _signer().unsign(f"{_canonical(document)}:{signature}")
    except BadSignature:
        raise PlanFileError(
            "The plan was changed after it was made, or made with another SECRET_KEY; "
            "make a new one with --plan --format json."
        ) from None
    return Plan(
        database=document["database"],
        fingerprint=document["fingerprint"],
        collections=tuple(document["collections"]),
        changes=tuple(_change(item) for item in document["changes"]),
        notes=tuple(_change(item) for item in document["notes"]),
        problems=tuple(Problem(**item) for item in document["problems"]),
    )


def operation_document(operation: Operation) -> dict[str, Any]:
    """An operation as a document: its fields, and what it is, does and risks in words."""
    return {
        "kind": operation.kind,
        "words": operation.words(),
        "risk": operation.risk.value,
        "waits_for": operation.waits_for,
        "reversible": bool(operation.inverse()),
        "arguments": {
            field.name: _plain(getattr(operation, field.name)) for field in fields(operation)
        },
    }


def operation_from(document: Mapping[str, Any]) -> Operation:
    """The inverse of :func:`operation_document`."""
    arguments = dict(document["arguments"])
    for name in ("before", "after"):
        if isinstance(arguments.get(name), Mapping):
            arguments[name] = Validator(**arguments[name])
    for name in ("build_phase", "drop_phase"):
        if name in arguments:
            arguments[name] = Phase[arguments[name]]
    if "indexes" in arguments:
        arguments["indexes"] = tuple(_index(item) for item in arguments["indexes"])
    if isinstance(arguments.get("index"), Mapping):
        arguments["index"] = _index(arguments["index"])
    return KINDS[document["kind"]](**arguments)


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "database": plan.database,
        "fingerprint": plan.fingerprint,
        "collections": list(plan.collections),
        "operations": [
            {"collection": step.collection, **operation_document(step)} for step in plan.operations
        ],
        "changes": [_change_document(change) for change in plan.changes],
        "notes": [_change_document(note) for note in plan.notes],
        "problems": [
            {"subject": problem.subject, "reason": problem.reason} for problem in plan.problems
        ],
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "collection": change.collection,
        "sign": change.sign,
        "words": change.words,
        "risk": change.risk.value,
        "operations": [operation_document(step) for step in change.operations],
    }


def _change(document: Mapping[str, Any]) -> Change:
    return Change(
        collection=document["collection"],
        sign=document["sign"],
        words=document["words"],
        operations=tuple(operation_from(step) for step in document["operations"]),
    )


def _plain(value: Any) -> Any:
    match value:
        case Validator():
            return {"query": value.query, "level": value.level, "action": value.action}
        case IndexSpec():
            return {
                "name": value.name,
                "keys": [list(k) for k in value.keys],
                "options": value.options,
            }
        case Phase():
            return value.name
        case tuple():
            return [_plain(item) for item in value]
    return value


def _index(document: Mapping[str, Any]) -> IndexSpec:
    keys = tuple((name, direction) for name, direction in document["keys"])
    return IndexSpec(name=document["name"], keys=keys, options=document["options"])


def _canonical(document: Mapping[str, Any]) -> str:
    return dumps(document, json_options=CANONICAL_JSON_OPTIONS, sort_keys=True)


def _signer() -> Signer:
    return Signer(salt="djongo_services.schema.plan")


def _line(change: Change) -> Text:
    risk = "" if change.risk is Risk.SAFE else f"  ({change.risk.value})"
    return Text(f"  {change.sign} {printable(change.words)}{risk}", style=_STYLES[change.sign])
