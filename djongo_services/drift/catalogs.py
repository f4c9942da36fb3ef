"""Differences of a collection's options, validator and indexes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from djongo_services.drift.comparison import Difference, Kind, Sign
from djongo_services.formatting import extended_json, printable, value_text
from djongo_services.introspection.catalog import Collection, Index, Validator
from djongo_services.introspection.rendering.wording import (
    index_keys,
    index_properties,
    kind_text,
)
from djongo_services.schema.diff.filters import freeze
from djongo_services.schema.diff.normal import normal_index
from djongo_services.schema.diff.rules import rule_changes
from djongo_services.schema.ownership import unmarked

_SHOWN: Final = 80
"""The maximum number of characters of a value."""
_OF_THE_SERVER: Final = frozenset(
    {
        "v",
        "ns",
        "key",
        "name",
        "background",
        "buildUUID",
        "textIndexVersion",
        "2dsphereIndexVersion",
        "hashVersion",
    }
)
"""What a server adds to an index, or what is compared elsewhere."""


def compare_catalogs(before: Collection, after: Collection) -> Iterator[Difference]:
    """Compare two collections; what could not be read on one side is not compared."""
    unread = {missing.what for side in (before, after) for missing in side.unavailable}
    if before.type != after.type or kind_text(before) != kind_text(after):
        yield _difference(
            after, "collection", "~", before=kind_text(before), after=kind_text(after)
        )
    if "indexes" not in unread:
        yield from _indexes(before, after)
    if "options" not in unread:
        yield from _options(before, after)
        yield from _validators(after, _in_force(before), _in_force(after))


def unread_words(before: Collection, after: Collection) -> Iterator[str]:
    """A sentence for each part that could not be compared."""
    for what in ("indexes", "options"):
        for side, missing in ((before, "earlier"), (after, "later")):
            if any(one.what == what for one in side.unavailable):
                more = " and validator" if what == "options" else ""
                yield f"{what.capitalize()}{more} not compared: unreadable on the {missing} side."


def _indexes(before: Collection, after: Collection) -> Iterator[Difference]:
    old = {index.name: index for index in before.indexes}
    new = {index.name: index for index in after.indexes}
    went = {name: index for name, index in old.items() if name not in new}
    by_meaning = {_meaning(index): name for name, index in went.items()}
    for name, index in new.items():
        if name in old:
            yield from _index(after, old[name], index)
            continue
        twin = by_meaning.pop(_meaning(index), None)
        if twin is None:
            yield _difference(after, "index", "+", name, after=_index_words(index))
            continue
        del went[twin]
        was = f"named {printable(twin)}"
        yield _difference(
            after, "index", "~", name, detail="name", before=was, after=f"named {printable(name)}"
        )
    for name, index in went.items():
        yield _difference(after, "index", "-", name, before=_index_words(index))


def _index(collection: Collection, one: Index, other: Index) -> Iterator[Difference]:
    if one.keys != other.keys and _meaning(one) != _meaning(other):
        yield _difference(
            collection,
            "index",
            "~",
            other.name,
            detail="keys",
            before=index_keys(one),
            after=index_keys(other),
        )
    first, second = _options_of(one), _options_of(other)
    for option in sorted({*first, *second}):
        if freeze(first.get(option)) != freeze(second.get(option)):
            yield _difference(
                collection,
                "index",
                "~",
                other.name,
                detail=option,
                before=_shown(first, option),
                after=_shown(second, option),
            )


def _options_of(index: Index) -> dict[str, Any]:
    """The options of its definition as JSON, without those that equal a default, such as
    ``false``."""
    plain = _plain(index.definition)
    return {
        name: value
        for name, value in plain.items()
        if name not in _OF_THE_SERVER and value is not False
    }


def _meaning(index: Index) -> str:
    """A text that is equal for indexes that are the same under any name."""
    plain = Index(name="", keys=index.keys, definition=_plain(index.definition))
    try:
        normal = normal_index(plain)
    except (AttributeError, KeyError, TypeError, ValueError):  # in a file that was edited
        return repr((index.keys, freeze(_options_of(index))))
    rest = {name: plain.definition.get(name) for name in ("expireAfterSeconds", "collation")}
    return repr((normal, freeze(rest)))


def _index_words(index: Index) -> str:
    return ", ".join([index_keys(index), *index_properties(index)])


def _options(before: Collection, after: Collection) -> Iterator[Difference]:
    old, new = _plain(before.options), _plain(after.options)
    for name in sorted({*old, *new}):
        if freeze(old.get(name)) == freeze(new.get(name)):
            continue
        yield _difference(
            after,
            "option",
            "+" if name not in old else "-" if name not in new else "~",
            name,
            before=_shown(old, name) if name in old else None,
            after=_shown(new, name) if name in new else None,
        )


def _in_force(collection: Collection) -> Validator | None:
    """The validator in force; an emptied one stays in the options as {}."""
    found = collection.validator
    return found if found is not None and found.query else None


def _validators(
    collection: Collection, old: Validator | None, new: Validator | None
) -> Iterator[Difference]:
    if old is None or new is None:
        if old is not new:
            yield _difference(
                collection,
                "validator",
                "+" if old is None else "-",
                before=None if old is None else _strength(old),
                after=None if new is None else _strength(new),
            )
        return
    if _strength(old) != _strength(new):
        yield _difference(collection, "validator", "~", before=_strength(old), after=_strength(new))
    for rule in rule_changes(unmarked(_plain(old.query)), unmarked(_plain(new.query))):
        yield _difference(
            collection,
            "rule",
            rule.sign if rule.sign != "!" else "~",
            rule.path,
            detail=rule.keyword,
            before=None if rule.sign == "+" else value_text(rule.before, _SHOWN),
            after=None if rule.sign == "-" else value_text(rule.after, _SHOWN),
        )


def _strength(validator: Validator) -> str:
    return printable(f"{validator.level}, {validator.action}")


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as JSON, which is the same for one from a server and one from a file."""
    found: dict[str, Any] = json.loads(extended_json(document))
    return found


def _shown(options: Mapping[str, Any], name: str) -> str:
    return value_text(options[name], _SHOWN) if name in options else "none"


def _difference(
    collection: Collection,
    kind: Kind,
    sign: Sign,
    subject: str = "",
    *,
    detail: str = "",
    before: str | None = None,
    after: str | None = None,
) -> Difference:
    return Difference(
        collection=collection.name,
        kind=kind,
        sign=sign,
        severity="new",
        subject=subject,
        detail=detail,
        before=before,
        after=after,
    )
