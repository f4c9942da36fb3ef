"""Differences between two validators, rule by rule.

A rule is one keyword at one path: ``name maxLength 50``. Combinations (``anyOf``, ``not``) and
query operators are compared as a whole, because their parts have no meaning alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from djongo_services.formatting import value_text
from djongo_services.schema.diff.filters import freeze
from djongo_services.schema.plan import RuleChange, Sign

_Rules: TypeAlias = dict[tuple[str, str], Any]
"""Rules by path and keyword."""
_SHOWN = 80


def rule_changes(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    names: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[RuleChange, ...]:
    """The changes from one validator to the other, ordered by path.

    ``names`` are the constraints among the parts of ``after``, which are then identified by name.
    """
    old, new = _rules(before, {}), _rules(after, names or {})
    places = sorted(dict.fromkeys([*new, *old]))
    return tuple(
        _change(place, old, new)
        for place in places
        if place not in old or place not in new or freeze(old[place]) != freeze(new[place])
    )


def _change(place: tuple[str, str], old: _Rules, new: _Rules) -> RuleChange:
    path, keyword = place
    sign: Sign = "+" if place not in old else "-" if place not in new else "~"
    before, after = old.get(place), new.get(place)
    words = f"{path} {keyword}".strip()
    if sign != "-" and after is not True:
        words += f" {_shown(keyword, after)}"
    if sign == "~":
        words += f" (was {_shown(keyword, before)})"
    return RuleChange(
        sign=sign, path=path, keyword=keyword, before=before, after=after, words=words
    )


def _rules(query: Mapping[str, Any], names: Mapping[str, Mapping[str, Any]]) -> _Rules:
    found: _Rules = {}
    for part in _parts(query):
        if isinstance(schema := part.get("$jsonSchema"), Mapping) and len(part) == 1:
            # A second schema in the same validator must not hide the first.
            for (path, keyword), value in _schema_rules(schema, ""):
                found[_free(found, path, keyword)] = value
            continue
        name = next((name for name, check in names.items() if check == part), None)
        text = "check " + (name or value_text(part, _SHOWN))
        found[("", text)] = part if name else True
    return found


def _parts(query: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The conditions that must all be true."""
    for key, value in query.items():
        if key == "$and" and isinstance(value, list | tuple):
            for part in value:
                yield from _parts(part) if isinstance(part, Mapping) else ()
        else:
            yield {key: value}


def _schema_rules(schema: Mapping[str, Any], path: str) -> Iterator[tuple[tuple[str, str], Any]]:
    for keyword, value in schema.items():
        match keyword, value:
            case "properties" | "patternProperties", Mapping():
                for name, below in value.items():
                    yield from _below(below, _join(path, name, keyword))
            case "items" | "additionalItems", Mapping():
                yield from _schema_rules(value, f"{path}[]")
            case "additionalProperties", Mapping():
                yield from _schema_rules(value, _join(path, "*", "properties"))
            case "required", list() | tuple():
                for name in value:
                    yield (_join(path, str(name), "properties"), "required"), True
            case _:
                yield (path, keyword), value


def _below(schema: Any, path: str) -> Iterator[tuple[tuple[str, str], Any]]:
    if isinstance(schema, Mapping):
        yield from _schema_rules(schema, path)


def _join(path: str, name: str, keyword: str) -> str:
    shown = f"/{name}/" if keyword == "patternProperties" else name
    return f"{path}.{shown}" if path else shown


def _free(found: _Rules, path: str, keyword: str) -> tuple[str, str]:
    while (path, keyword) in found:
        keyword += " (again)"
    return path, keyword


def _shown(keyword: str, value: Any) -> str:
    if keyword in ("bsonType", "type"):
        names = value if isinstance(value, list | tuple) else [value]
        return " or ".join(map(str, names))
    return value_text(value, _SHOWN)
