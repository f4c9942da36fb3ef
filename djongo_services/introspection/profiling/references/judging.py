"""When values that were found make a reference.

A reference needs, of the distinct values looked up:

- 10 % found, where the values are unmistakable (object ids, UUIDs): one that exists elsewhere
  is no accident, and the others are dangling;
- 50 % found, where the name says that it holds keys of the collection (``author_id``);
- 95 % found of at least 5, where the name is only the collection's (``order`` of ``orders``).

Without a word in the name, only unmistakable values count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from djongo_services.introspection.path import Path
from djongo_services.introspection.profiling.references.keys import (
    Key,
    Token,
    is_unmistakable,
    token,
)
from djongo_services.introspection.profiling.references.names import Evidence, closeness

UNMISTAKABLE_SHARE = 0.1
KEYED_SHARE = 0.5
NAMED_SHARE = 0.95
NAMED_MINIMUM = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """A key under which values of a path were looked up."""

    key: Key
    evidence: Evidence
    found: frozenset[Token]


def choose(path: Path, values: Iterable[Any], options: Sequence[Option]) -> list[Option]:
    """The options that are references, the best first.

    Of collections that hold the same keys (a copy, a backup, a table of one-to-one details) only
    the one that the name speaks for, else the first by name, is told. Another is added where
    it has values that those before it have not: the path refers to several collections.
    """
    kinds = {token(value): is_unmistakable(value) for value in values}
    able = [option for option in options if _is_reference(option, kinds)]
    able.sort(key=lambda option: _rank(path, option, len(kinds)))
    chosen: list[Option] = []
    explained: set[Token] = set()
    for option in able:
        new = {value for value in option.found - explained if kinds.get(value)}
        if not chosen or len(new) >= UNMISTAKABLE_SHARE * len(kinds):
            chosen.append(option)
            explained |= option.found
    return chosen


def _is_reference(option: Option, kinds: dict[Token, bool]) -> bool:
    found = [value for value in option.found if value in kinds]
    unmistakable = sum(kinds[value] for value in found)
    if unmistakable and unmistakable >= UNMISTAKABLE_SHARE * len(kinds):
        return True
    match option.evidence:
        case Evidence.KEYED:
            return bool(found) and len(found) >= KEYED_SHARE * len(kinds)
        case Evidence.NAMED:
            return len(kinds) >= NAMED_MINIMUM and len(found) >= NAMED_SHARE * len(kinds)
        case _:
            return False


def _rank(path: Path, option: Option, checked: int) -> tuple[Any, ...]:
    # In tenths: a copy that has a few more values does not outdo the collection that is named.
    tenths = len(option.found) * 10 // checked
    key = option.key
    return (
        -tenths,
        -option.evidence,
        -closeness(path, key.collection),
        key.field != "_id",
        key.collection,
        key.field,
    )
