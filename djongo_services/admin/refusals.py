"""A validator's reasons for refusing a document, sorted by the fields that they concern."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from pymongo.errors import BulkWriteError, PyMongoError, WriteError

from djongo_services.formatting import printable, shortened
from djongo_services.schema.violators import explain
from djongo_services.server_errors import DOCUMENT_REFUSED

Checks = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Complaint:
    text: str
    """``is a string, must be int``, without the name of the field."""
    column: str | None = None
    """The top-level field of the document; None if it concerns several, or the whole."""
    check: str | None = None
    """The name of the violated constraint of the model."""


def refusal_details(error: BaseException) -> Mapping[str, Any] | None:
    """The server's ``errInfo.details``, empty before MongoDB 5.0; None for any other error.

    The backend raises PyMongo's BulkWriteError when it inserts, and wraps WriteError in Django's
    DatabaseError when it updates.
    """
    cause = error if isinstance(error, PyMongoError) else error.__cause__
    found: Mapping[str, Any]
    match cause:
        case BulkWriteError():
            found = next(iter((cause.details or {}).get("writeErrors", ())), {})
        case WriteError():
            found = {"code": cause.code, **(cause.details or {})}
        case _:
            return None
    if found.get("code") != DOCUMENT_REFUSED:
        return None
    details: Mapping[str, Any] = (found.get("errInfo") or {}).get("details") or {}
    return details


def complaints(
    details: Mapping[str, Any], validator: Mapping[str, Any], checks: Checks
) -> Iterator[Complaint]:
    """One complaint for each violated rule. ``validator`` is the one that refused, ``checks`` are
    its parts that are a model's constraints, by name."""
    if details.get("operatorName") != "$and":
        yield from _clause(details)
        return
    parts = validator.get("$and", ())
    for broken in details.get("clausesNotSatisfied", ()):
        name = _name(broken.get("index"), parts, checks)
        if name is None:
            yield from _clause(broken["details"])
        else:
            yield Complaint(text=" ".join(explain(broken["details"])), check=name)


def _clause(details: Mapping[str, Any]) -> Iterator[Complaint]:
    for rule in details.get("schemaRulesNotSatisfied", ()):
        yield from _rule(rule)
    rest = {name: value for name, value in details.items() if name != "schemaRulesNotSatisfied"}
    if "schemaRulesNotSatisfied" not in details or "clausesNotSatisfied" in rest:
        for text in explain(rest):
            yield Complaint(text=text)


def _rule(rule: Mapping[str, Any]) -> Iterator[Complaint]:
    match rule.get("operatorName"):
        case "properties" if "propertiesNotSatisfied" in rule:
            for item in rule["propertiesNotSatisfied"]:
                name = item["propertyName"]
                one = {**rule, "propertiesNotSatisfied": [item]}
                for text in explain({"schemaRulesNotSatisfied": [one]}):
                    yield Complaint(text=text.removeprefix(f"{name}: "), column=name)
        case "required" if "missingProperties" in rule:
            for name in rule["missingProperties"]:
                yield Complaint(text=_("is missing"), column=name)
        case _:
            for text in explain({"schemaRulesNotSatisfied": [rule]}):
                yield Complaint(text=text)


def _name(index: Any, parts: Any, checks: Checks) -> str | None:
    if not isinstance(index, int) or index >= len(parts):
        return None
    return next((name for name, check in checks.items() if check == parts[index]), None)


# A form that is shown again because the collection's validator refused what it would have saved.
_LONGEST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A refusal; nothing was saved."""

    model: type[models.Model]
    """The model of the object whose document was refused: the form's own, or an inline's."""
    complaints: tuple[Complaint, ...]
    """None if the server gives no reason."""


def told(form: Any, refusal: Refusal, model: type[models.Model]) -> Any:
    """``form``, the form class of ``model``, with the complaints beside its fields."""

    class RefusedForm(form):  # type: ignore[misc]  # a class is given at run time
        def full_clean(self) -> None:
            super().full_clean()
            if not hasattr(self, "cleaned_data"):
                return
            rest = []
            for one in refusal.complaints:
                name = _field(refusal, one) if refusal.model is model else None
                if name in self.fields:
                    self.add_error(name, capfirst(_shown(one)))
                else:
                    rest.append(one)
            if rest or not refusal.complaints:
                for text in sentences(refusal.model, tuple(rest), model):
                    self.add_error(None, text)

    return RefusedForm


def sentences(
    of: type[models.Model], complaints: tuple[Complaint, ...], model: type[models.Model]
) -> list[str]:
    """The complaints without a field to show them beside, on a page about ``model``."""
    what = "" if of is model else f"{capfirst(of._meta.verbose_name)}: "
    if complaints:
        return [what + _message(of, one) for one in complaints]
    return [what + _("The collection's validator rejects the document without giving a reason.")]


def _field(refusal: Refusal, one: Complaint) -> str | None:
    """The name in forms, from the name in documents."""
    for field in refusal.model._meta.concrete_fields:
        if field.column == one.column:
            return str(field.name)
    return None


def _message(model: type[models.Model], one: Complaint) -> str:
    """The constraint's own message if it has one."""
    for constraint in model._meta.constraints:
        if one.check is not None and constraint.name == one.check:
            return str(constraint.get_violation_error_message())
    return _shown(one) if one.column is None else f"{printable(one.column)}: {_shown(one)}"


def _shown(one: Complaint) -> str:
    return shortened(printable(one.text), _LONGEST)
