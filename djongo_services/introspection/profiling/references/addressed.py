"""Values that contain the collection that they refer to: DBRefs and the pointers of Parse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pymongo.collection import Collection

from djongo_services.introspection.path import Path
from djongo_services.introspection.profiling.extraction import (
    Expression,
    Named,
    Stage,
    extraction,
    levels,
    named,
    named_beside_keys,
    reachable,
)
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.references.samples import (
    ELEMENTS,
    Values,
    batches,
    is_parse_column,
    source_stages,
)
from djongo_services.introspection.report import Field, Profile
from djongo_services.progress import Stop

_DOLLAR: Final = {"$literal": "$"}
_POINTER: Final = frozenset({"__type", "className", "objectId"})

Stages = Callable[[str], list[Stage]]
"""From documents ``{p, v}`` in a database of this name to ``{p, to, v}``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledAddresses:
    """Distinct keys at a path that refer to one collection of the same database."""

    path: Path
    target: str
    values: tuple[Any, ...]
    complete: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A way to write collection and key in one value."""

    kind: Literal["dbRef", "pointer"]
    has: Callable[[Field], bool]
    """Whether a field has such values."""
    stages: Stages


def sample_addresses(
    collection: Collection[Any],
    profile: Profile,
    form: Form,
    *,
    sample: int,
    stop: Stop | None = None,
) -> list[SampledAddresses]:
    """At most ``sample`` keys for each path and collection; one scan for every 100 paths."""
    paths = [each.path for each in profile.walk() if reachable(each.path) and form.has(each)]
    prefix, beside = source_stages(profile, sample), named_beside_keys(profile)
    found: list[SampledAddresses] = []
    for batch in batches(paths):
        scan = [
            *prefix,
            *addresses(form, batch, collection, beside=beside, element_limit=ELEMENTS),
            {"$group": {"_id": {"p": "$p", "to": "$to", "v": "$v"}}},
            {"$limit": sample * len(batch)},
        ]
        gathered: dict[tuple[int, str], Values] = {}
        rows = aggregate(collection, scan, stop=stop, tolerant=True)
        for row in rows:
            place = (row["_id"]["p"], row["_id"]["to"])
            gathered.setdefault(place, Values()).add(row["_id"]["v"], sample)
        whole = not prefix and len(rows) < sample * len(batch)
        found += [
            SampledAddresses(
                path=batch[number],
                target=target,
                values=tuple(one.values),
                complete=whole and not one.overflow and levels(batch[number]) == 0,
            )
            for (number, target), one in sorted(gathered.items(), key=lambda item: item[0])
        ]
    return found


def addresses(
    form: Form,
    paths: Sequence[Path],
    collection: Collection[Any],
    *,
    beside: Named,
    element_limit: int | None = None,
    with_id: bool = False,
) -> list[Stage]:
    """Stages from documents to ``{p, to, v}``: the path, the collection, the key."""
    return [
        *extraction(paths, beside=beside, element_limit=element_limit, with_id=with_id),
        *form.stages(collection.database.name),
    ]


def _has_dbrefs(field: Field) -> bool:
    return "dbRef" in field.types


def _has_pointers(field: Field) -> bool:
    names = {child.path[-1] for child in field.children}
    return "object" in field.types and names.issuperset(_POINTER)


def _has_columns(field: Field) -> bool:
    return is_parse_column(field.path) and "string" in field.types


def _dbrefs(database: str) -> list[Stage]:
    """DBRefs, except those to other databases."""
    here = {"$in": [{"$ifNull": ["$db", database]}, [database]]}
    split: dict[str, Expression] = {
        "p": 1,
        "to": named("$v", "$ref"),
        "v": named("$v", "$id"),
        "db": named("$v", "$db"),
    }
    return [
        {"$match": {"v": {"$type": "object"}}},
        {"$project": split},
        {"$match": {"to": {"$type": "string"}, "v": {"$ne": None}, "$expr": here}},
    ]


def _pointers(database: str) -> list[Stage]:
    """``{"__type": "Pointer", "className": "_User", "objectId": "Ed1nuqPvcm"}``."""
    del database
    return [
        {"$match": {"v": {"$type": "object"}, "v.__type": "Pointer"}},
        {"$project": {"p": 1, "to": "$v.className", "v": "$v.objectId"}},
        {"$match": {"to": {"$type": "string"}, "v": {"$ne": None}}},
    ]


def _columns(database: str) -> list[Stage]:
    """``_User$Ed1nuqPvcm``."""
    del database
    at: Expression = {"$indexOfBytes": ["$v", _DOLLAR]}
    rest = {"$subtract": [{"$strLenBytes": "$v"}, {"$add": [at, 1]}]}
    return [
        {"$match": {"v": {"$type": "string", "$regex": r"^[^$]+\$."}}},
        {
            "$project": {
                "p": 1,
                "to": {"$substrBytes": ["$v", 0, at]},
                "v": {"$substrBytes": ["$v", {"$add": [at, 1]}, rest]},
            }
        },
    ]


DBREFS: Final = Form(kind="dbRef", has=_has_dbrefs, stages=_dbrefs)
POINTERS: Final = Form(kind="pointer", has=_has_pointers, stages=_pointers)
COLUMNS: Final = Form(kind="pointer", has=_has_columns, stages=_columns)
FORMS: Final = (DBREFS, POINTERS, COLUMNS)


ADDRESSED: Final = frozenset({"dbRef", "pointer"})
"""Kinds of references whose values name their collection."""


def form_of(kind: str, path: Path) -> Form:
    """The form of a reference of a kind other than plain values."""
    if kind == "dbRef":
        return DBREFS
    return COLUMNS if is_parse_column(path) else POINTERS
