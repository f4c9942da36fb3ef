"""Why a validator refused a document, as a sentence that names the field or the constraint.

The server explains a refusal (error 121) in ``errInfo``, from MongoDB 5.0 on. Check constraints
have their names there; see :func:`djongo_services.schema.constraints.named_clause`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.formatting import printable, value_text

Details = Mapping[str, Any]

_SHOWN = 3
"""The maximum number of fields in one sentence."""
_LONGEST = 60
"""The maximum number of characters of a displayed value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidatorRefusal:
    message: str
    """``CHECK constraint failed: price_positive (shop_product)``, or a description of the wrong
    field: ``shop_product.name is longer than 10 characters``."""
    constraint: str | None
    """The first check constraint that the document violates; None if it violates none."""
    fields: tuple[str, ...]
    """The dotted paths of the wrong fields."""


def explain_refusal(details: Any, collection: str | None = None) -> ValidatorRefusal:
    """The refusal in an error's details: the server's reply, one of its ``writeErrors``, or
    ``errInfo``.

    ``collection`` is named in the message; the server does not include it.
    """
    info = _error_info(details)
    where = printable(collection) if collection else "The document"
    if info is None:
        return ValidatorRefusal(
            message=f"{where}: the validator of the collection refused a document; this server "
            f"gives no reason; MongoDB 5.0 and later do.",
            constraint=None,
            fields=(),
        )
    found = info.get("details", {})
    constraints = tuple(_constraints(found))
    reasons = dict(_reasons(found, ""))
    fields = tuple(path for path in reasons if path)
    if reasons:
        said = [_sentence(collection, path, reason) for path, reason in reasons.items()]
        more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
        message = f"{'; '.join(said[:_SHOWN])}{more}."
    elif constraints:
        named = f" ({where})" if collection else ""
        message = f"CHECK constraint failed: {printable(constraints[0])}{named}"
    else:
        rule = next(_rules(found), None)
        which = f", which does not match {value_text(rule, _LONGEST)}" if rule else ""
        message = f"{where}: the validator of the collection refused a document{which}."
    constraint = None if reasons else next(iter(constraints), None)
    return ValidatorRefusal(message=message, constraint=constraint, fields=fields)


def _error_info(details: Any) -> Details | None:
    if not isinstance(details, Mapping):
        return None
    failures = details.get("writeErrors")
    if failures:
        return _error_info(failures[0])
    found = details.get("errInfo", details)
    return found if isinstance(found, Mapping) and "details" in found else None


def _sentence(collection: str | None, path: str, reason: str) -> str:
    name = ".".join(part for part in (collection, path) if part)
    return f"{printable(name) or 'The document'} {reason}"


def _constraints(found: Details) -> Iterator[str]:
    """The names of clauses that failed: titles of schemas that nothing matches."""
    for clause in found.get("clausesNotSatisfied", ()):
        details = clause.get("details", {})
        title = clause.get("title", details.get("title"))
        if found.get("operatorName") == "$or" and title is not None:
            yield str(title)
            return
        yield from _constraints(details)


def _rules(found: Details) -> Iterator[Details]:
    """The rules that documents must match, as in the validator. The names of check constraints are
    included from MongoDB 5.1 on."""
    for clause in found.get("clausesNotSatisfied", ()):
        details = clause.get("details", {})
        if rule := details.get("specifiedAs"):
            yield rule
        yield from _rules(details)


def _reasons(found: Details, path: str) -> Iterator[tuple[str, str]]:
    """What is wrong at each path, the outermost first."""
    if found.get("operatorName") == "$or":
        return
    for clause in found.get("clausesNotSatisfied", ()):
        yield from _reasons(clause.get("details", {}), path)
    for rule in found.get("schemaRulesNotSatisfied", ()):
        yield from _of_rule(rule, path)


def _of_rule(rule: Details, path: str) -> Iterator[tuple[str, str]]:
    for one in rule.get("propertiesNotSatisfied", ()):
        inside = _join(path, str(one.get("propertyName", "")))
        for each in one.get("details", ()):
            yield from _of_rule(each, inside)
    for name in rule.get("missingProperties", ()):
        yield _join(path, str(name)), "is missing"
    for name in rule.get("additionalProperties", ()):
        yield _join(path, str(name)), "is not a field of the model"
    if "itemIndex" in rule:
        inside = f"{path}[{rule['itemIndex']}]"
        for each in rule.get("details", ()):
            yield from _of_rule(each, inside)
    operator = str(rule.get("operatorName", ""))
    if operator in _CONTAINERS:
        return
    yield path, _words(operator, rule)


_CONTAINERS = frozenset({"properties", "required", "items", "additionalProperties"})


def _words(operator: str, rule: Details) -> str:
    limit = (rule.get("specifiedAs") or {}).get(operator)
    value = rule.get("consideredValue")
    match operator:
        case "bsonType":
            kinds = limit if isinstance(limit, list) else [limit]
            return (
                f"is {rule.get('consideredType', 'of another type')}, but "
                f"must be {' or '.join(map(str, kinds))}"
            )
        case "maxLength":
            return f"is longer than {limit} characters"
        case "minLength":
            return f"is shorter than {limit} characters"
        case "maxItems" | "minItems":
            return f"has {'more' if operator == 'maxItems' else 'fewer'} than {limit} items"
        case "minimum" | "maximum":
            side = "below" if operator == "minimum" else "above"
            return f"is {side} {value_text(limit, _LONGEST)}: {value_text(value, _LONGEST)}"
        case "pattern":
            return "does not have the required form"
        case "enum":
            return f"is not one of the allowed values: {value_text(value, _LONGEST)}"
        case "not" if (rule.get("specifiedAs") or {}).get("not") == {"bsonType": "null"}:
            return "must not be null"
        case "anyOf" | "oneOf" | "allOf" | "not":
            return "has a value that is not allowed"
    return f"breaks the rule {printable(operator)}"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
