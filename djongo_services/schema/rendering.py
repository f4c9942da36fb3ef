"""A plan for people, as ``+ ~ -`` lines, and for machines, as JSON that can be applied later."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from bson.binary import UuidRepresentation
from bson.json_util import JSONMode, JSONOptions, dumps
from django.core.signing import BadSignature, Signer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from djongo_services.durations import about_text
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import about, printable
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.estimating import UNKNOWN, BuildEstimate, Estimates
from djongo_services.schema.operations import Operation, Phase, Risk
from djongo_services.schema.plan import Change, Plan, RuleChange
from djongo_services.schema.serialization import PlanUnreadable, plan_bytes, plan_from
from djongo_services.schema.spec import IndexSpec
from djongo_services.schema.wording import estimate_text, plan_text, risk_text
from djongo_services.translation import gettext as _

FORMAT_VERSION = 1
_JSON: JSONOptions = JSONOptions(
    json_mode=JSONMode.CANONICAL, uuid_representation=UuidRepresentation.STANDARD
)


class PlanFileError(DjongoServicesError):
    """The plan file cannot be used."""


_STYLES = {"+": "green", "~": "yellow", "-": "red", "!": "bold red"}


def render_text(plan: Plan, estimates: Estimates = UNKNOWN, *, color: bool = False) -> str:
    """Grouped by collection, one summary line at the end; ends with a newline.

    ``estimates``: what is known about its index builds.
    """
    lines: list[Text] = []
    for name, changes in plan.by_collection():
        lines.append(_heading(name, plan))
        lines += [line for change in changes for line in _lines(change, estimates)]
        lines.append(Text())
    if plan.notes:
        lines.append(Text(_("Left alone:")))
        lines += [Text(f"    {printable(f'{n.collection}: {n.words}')}") for n in plan.notes]
        lines.append(Text())
    if plan.problems:
        lines.append(Text(_("Not expressed in MongoDB:")))
        lines += [Text(f"    {printable(f'{p.subject}: {p.reason}')}") for p in plan.problems]
        lines.append(Text())
    if plan.waiting:
        lines.append(Text(_("Migrations that are not applied; run migrate first:")))
        lines += [Text(f"    {printable(name)}") for name in plan.waiting]
        lines.append(Text())
    estimate = estimates.of(plan.operations)
    if estimate is not None:
        lines.append(Text(estimate_text(estimate)))
    lines.append(Text(plan_text(plan)))
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


def render_json(plan: Plan, estimates: Estimates = UNKNOWN) -> str:
    """The plan as a signed document; :func:`load` reads it back.

    ``{"format_version": 1, "database", "fingerprint", "collections": [...], "steps": [...],
    "differences": [...], "notes": [...], "problems": [...], "rules": [...],
    "waiting": [...], "estimate", "plan", "signature"}``. All but the last two is for readers;
    ``plan`` is the same in the form that can be applied: BSON in Base64.
    """
    document = json.loads(dumps(_document(plan), json_options=_JSON))
    _add_estimates(document, plan, estimates)
    whole = {
        "format_version": FORMAT_VERSION,
        **document,
        "plan": base64.b64encode(plan_bytes(plan)).decode(),
    }
    whole["signature"] = _signer().signature(_canonical(whole))
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def load(text: str) -> Plan:
    """A plan from its JSON.

    Raises PlanFileError when the text is not a plan, is of another version, or was changed since
    it was written (Django's signer, with the project's SECRET_KEY).
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = _("it is nested too deeply") if isinstance(error, RecursionError) else error
        text = _("Cannot read the plan file as JSON: %(reason)s.")
        raise PlanFileError(text % {"reason": reason}) from None
    if not isinstance(document, dict) or "steps" not in document:
        raise PlanFileError(_("Not a plan file; make one with --plan --format json."))
    if document.get("format_version") != FORMAT_VERSION:
        found = document.get("format_version")
        text = _("The plan file has format %(found)r, not %(known)s; make a new one.")
        raise PlanFileError(text % {"found": found, "known": FORMAT_VERSION})
    signature = document.pop("signature", "")
    try:
        _signer().unsign(f"{_canonical(document)}:{signature}")
        return plan_from(base64.b64decode(document["plan"]))
    except (BadSignature, RecursionError, UnicodeEncodeError):
        text = _(
            "The plan file was changed after it was made, or made with another SECRET_KEY; "
            "make a new one with --plan --format json."
        )
        raise PlanFileError(text) from None
    except (PlanUnreadable, KeyError, binascii.Error):
        text = _(
            "The plan file was made by another version of djongo_services; make a new one with "
            "--plan --format json."
        )
        raise PlanFileError(text) from None


def _step_document(operation: Operation) -> dict[str, Any]:
    """A step for readers: its fields, and what it is, does and risks in words."""
    return {
        "kind": operation.kind,
        "words": operation.words(),
        "risk": operation.risk.value,
        "waits_for": operation.waits_for,
        "reversible": bool(operation.inverse()),
        "estimate": None,
        "arguments": {
            field.name: _plain(getattr(operation, field.name)) for field in fields(operation)
        },
    }


def _document(plan: Plan) -> dict[str, Any]:
    return {
        "database": plan.database,
        "fingerprint": plan.fingerprint,
        "collections": list(plan.collections),
        "steps": [
            {"collection": step.collection, **_step_document(step)} for step in plan.operations
        ],
        "differences": [_change_document(change) for change in plan.changes],
        "notes": [_change_document(note) for note in plan.notes],
        "problems": [
            {"subject": problem.subject, "reason": problem.reason} for problem in plan.problems
        ],
        "rules": [{"collection": name, "rules": rules} for name, rules in plan.rules.items()],
        "waiting": list(plan.waiting),
        "estimate": None,
    }


def _add_estimates(document: dict[str, Any], plan: Plan, estimates: Estimates) -> None:
    """As plain numbers, which Extended JSON would wrap."""
    steps = list(zip(document["steps"], plan.operations, strict=True))
    for shown, change in zip(document["differences"], plan.changes, strict=True):
        steps += zip(shown["steps"], change.operations, strict=True)
    for shown, step in steps:
        shown["estimate"] = _estimate_document(estimates.of([step]))
    document["estimate"] = _estimate_document(estimates.of(plan.operations))


def _estimate_document(estimate: BuildEstimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {
        "words": about(estimate.low, estimate.high),
        "low": round(estimate.low, 1),
        "high": round(estimate.high, 1),
        "documents": estimate.documents,
        "bytes": estimate.bytes,
        "builds": estimate.builds,
    }


def _change_document(change: Change) -> dict[str, Any]:
    return {
        "collection": change.collection,
        "sign": change.sign,
        "words": change.words,
        "risk": change.risk.value,
        "steps": [_step_document(step) for step in change.operations],
        "rules": [_rule_document(rule) for rule in change.rules],
    }


def _rule_document(rule: RuleChange) -> dict[str, Any]:
    return {
        "sign": rule.sign,
        "path": rule.path,
        "keyword": rule.keyword,
        "before": rule.before,
        "after": rule.after,
        "words": rule.words,
    }


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


def _canonical(document: dict[str, Any]) -> str:
    return json.dumps(document, sort_keys=True)


def _signer() -> Signer:
    return Signer(salt="djongo_services.schema.plan")


def _heading(name: str, plan: Plan) -> Text:
    """The collection, and its rules unless they are the default."""
    heading = Text(printable(name), style="bold")
    rules = plan.rules.get(name, "database")
    if rules == "database":
        return heading
    return heading.append("  " + _("(rules: %(rules)s)") % {"rules": rules}, "not bold")


def _lines(change: Change, estimates: Estimates) -> Iterator[Text]:
    said = [] if change.risk is Risk.SAFE else [risk_text(change.risk)]
    estimate = estimates.of(change.operations)
    if estimate is not None:
        said.append(about_text(estimate.low, estimate.high))
    behind = f"  ({', '.join(said)})" if said else ""
    yield Text(f"  {change.sign} {printable(change.words)}{behind}", style=_STYLES[change.sign])
    for rule in change.rules:
        yield Text(f"      {rule.sign} {printable(rule.words)}", style=_STYLES[rule.sign])
