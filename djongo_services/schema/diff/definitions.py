"""The definitions of validators, indexes and collections before and after a plan's steps.

The two are compared side by side as lines of text; Python's difflib matches them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from djongo_services.introspection.catalog import Validator
from djongo_services.schema.operations import (
    SHADOW_PREFIX,
    BuildIndexes,
    CreateCollection,
    DropIndex,
    MakeUnique,
    Operation,
    PrepareUnique,
    SetCollectionTTL,
    SetHidden,
    SetTTL,
    SetValidator,
)
from djongo_services.schema.remaking import RemakeCollection
from djongo_services.schema.spec import IndexSpec

Document: TypeAlias = Mapping[str, Any]
Kind = Literal["collection", "validator", "expiry", "index"]
Key: TypeAlias = tuple[str, Kind, str]
"""The collection, the kind of object, and the name of an index."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    collection: str
    kind: Kind
    name: str
    """The name of an index; empty for a validator."""
    before: Document | None
    """The definition in the server's terms, as far as the steps contain it; None if it does not
    exist."""
    after: Document | None


LineState = Literal["same", "changed", "removed", "added"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LinePair:
    """A line of one text beside a line of the other."""

    state: LineState
    before: str
    """Empty if the line is added; the other one is empty if it is removed."""
    after: str


def definitions(
    operations: Iterable[Operation], found: Mapping[tuple[str, str], Document] | None = None
) -> list[Definition]:
    """What the operations change, each in the order of its first step.

    ``found`` are the definitions of indexes that are changed in place, by collection and name.
    Without it, only the changed options are known. The temporary indexes of a rebuild are left out.
    """
    known: dict[Key, tuple[Document | None, Document | None]] = {}
    for step in operations:
        for key, before, after in _replaced(step):
            known[key] = (known[key][0] if key in known else before, after)
        if isinstance(step, SetTTL | SetHidden | PrepareUnique | MakeUnique):
            key = (step.collection, "index", step.index)
            was, becomes = _options(step)
            whole = (found or {}).get((step.collection, step.index), {"name": step.index})
            first, current = known.get(key) or (_with(whole, was),) * 2
            known[key] = (first, _with(current or {}, becomes))
    return [
        Definition(collection=collection, kind=kind, name=name, before=before, after=after)
        for (collection, kind, name), (before, after) in known.items()
        if before != after
    ]


def side_by_side(before: str, after: str) -> list[LinePair]:
    """The lines of two texts, with equal lines beside each other."""
    old, new = before.splitlines(), after.splitlines()
    pairs: list[LinePair] = []
    for tag, i, until_i, j, until_j in difflib.SequenceMatcher(None, old, new).get_opcodes():
        pairs += _pairs(tag == "equal", old[i:until_i], new[j:until_j])
    return pairs


def _pairs(is_same: bool, old: list[str], new: list[str]) -> Iterator[LinePair]:
    for number in range(max(len(old), len(new))):
        before = old[number] if number < len(old) else None
        after = new[number] if number < len(new) else None
        state: LineState = "same" if is_same else "changed"
        if before is None:
            state = "added"
        elif after is None:
            state = "removed"
        yield LinePair(state=state, before=before or "", after=after or "")


def renamed(changed: list[Definition]) -> list[Definition]:
    """The same definitions; an index that is dropped and built under another name is one renamed
    index."""
    gone = [one for one in changed if one.kind == "index" and one.after is None]
    come = [one for one in changed if one.kind == "index" and one.before is None]
    match gone, come:
        case [old], [new] if old.collection == new.collection:
            rest = [one for one in changed if one is not old and one is not new]
            return [*rest, replace(new, before=old.before)]
    return changed


def _replaced(step: Operation) -> Iterator[tuple[Key, Document | None, Document | None]]:
    """The definitions that the step replaces as a whole, before and after."""
    where = step.collection
    match step:
        case CreateCollection(options=options):
            yield (where, "collection", ""), None, options
        case RemakeCollection(options=options, found=was, indexes=specs):
            yield (where, "collection", ""), was, options
            for spec in specs:
                yield (where, "index", spec.name), None, _index(spec)
        case SetValidator(before=before, after=after):
            yield (where, "validator", ""), _validator(before), _validator(after)
        case SetCollectionTTL(before=seconds, after=later):
            name = "expireAfterSeconds"
            yield (where, "expiry", ""), {name: seconds}, {name: later}
        case BuildIndexes(indexes=specs):
            for spec in specs:
                if not spec.name.startswith(SHADOW_PREFIX):
                    yield (where, "index", spec.name), None, _index(spec)
        case DropIndex(index=spec) if not spec.name.startswith(SHADOW_PREFIX):
            yield (where, "index", spec.name), _index(spec), None


def _options(step: SetTTL | SetHidden | PrepareUnique | MakeUnique) -> tuple[Document, Document]:
    """The options of an index that the step changes, before and after."""
    match step:
        case SetTTL(before=before, after=after):
            return {"expireAfterSeconds": before}, {"expireAfterSeconds": after}
        case SetHidden(hidden=hidden):
            return {"hidden": None if hidden else True}, {"hidden": True if hidden else None}
        case PrepareUnique(prepare=prepare):
            return _flag("prepareUnique", prepare)
        case MakeUnique():
            return {}, {"unique": True, "prepareUnique": None}


def _flag(name: str, value: bool) -> tuple[Document, Document]:
    return {name: None if value else True}, {name: True if value else None}


def _with(definition: Document, options: Document) -> Document:
    """The definition with these options, without those that are None."""
    whole = {**definition, **options}
    return {name: value for name, value in whole.items() if value is not None}


def _validator(validator: Validator | None) -> Document | None:
    if validator is None:
        return None
    return {
        "validator": validator.query,
        "validationLevel": validator.level,
        "validationAction": validator.action,
    }


def _index(spec: IndexSpec) -> Document:
    return {"key": dict(spec.keys), "name": spec.name, **spec.options}
