"""Random indexes and collections as models could ask for them, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from djongo_services.schema.spec import CollectionSpec, IndexSpec

FIELDS = ("a", "b", "c", "d.e")
COLLATIONS = (
    {"locale": "en", "strength": 2},
    {"locale": "da"},
    {"locale": "fr_CA"},
    {"locale": "th"},
    {"locale": "de", "numericOrdering": True},
)
FILTERS = (
    {"a": {"$gt": 5}},
    {"a": {"$type": "string"}},
    {"a": {"$gte": ""}},
    {"a": {"$exists": True}, "b": {"$lte": 3.0}},
    {"$and": [{"b": {"$eq": 1}}, {"a": {"$gt": 2}}]},
)

SIGNATURE = ("unique", "sparse", "partialFilterExpression", "collation", "wildcardProjection")

directions = st.sampled_from([1, -1])
names = st.sampled_from(["one", "two", "three", "four"])


@st.composite
def regular(draw: st.DrawFn) -> tuple[tuple[tuple[str, int | str], ...], dict[str, Any]]:
    columns = draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True))
    keys = tuple((column, draw(directions)) for column in columns)
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["unique"] = True
    match draw(st.sampled_from(["plain", "sparse", "partial", "collation", "ttl", "hidden"])):
        case "sparse":
            options["sparse"] = True
        case "partial":
            options["partialFilterExpression"] = draw(st.sampled_from(FILTERS))
        case "collation":
            options["collation"] = draw(st.sampled_from(COLLATIONS))
        case "ttl" if len(keys) == 1:
            options["expireAfterSeconds"] = draw(st.sampled_from([60, 3600, 10**7]))
        case "hidden":
            options["hidden"] = True
    return keys, options


SPECIAL: list[tuple[tuple[tuple[str, int | str], ...], dict[str, Any]]] = [
    ((("a", "text"),), {}),
    ((("a", "text"), ("b", "text")), {"weights": {"a": 5}}),
    ((("c", 1), ("a", "text")), {"default_language": "german"}),
    ((("g", "2dsphere"),), {}),
    ((("g", "2dsphere"), ("a", 1)), {"sparse": True}),
    ((("a", "hashed"),), {}),
    ((("$**", 1),), {}),
    ((("$**", 1),), {"wildcardProjection": {"a": 1, "b": 1}}),
    ((("$**", 1),), {"wildcardProjection": {"d.e": 0}}),
    ((("$**", 1),), {"wildcardProjection": {"_id": 1, "d.e": 1}}),
    ((("d.$**", 1),), {}),
    ((("p", "2d"),), {"bits": 20}),
]
special = st.sampled_from(SPECIAL)


@st.composite
def indexes(draw: st.DrawFn, signatures: bool = False) -> tuple[IndexSpec, ...]:
    """A set that the server accepts together: one text index, no two of one meaning.

    With ``signatures``, as 5.0 and later do: two on the same keys, where their options differ in
    certain ways.
    """
    found: list[IndexSpec] = []
    kinds = draw(st.lists(st.one_of(regular(), regular(), special), max_size=4))
    labels = draw(st.permutations(["one", "two", "three", "four"]))
    seen: set[object] = set()
    for name, (keys, options) in zip(labels, kinds, strict=False):
        text = any(direction == "text" for _, direction in keys)
        told = [repr(options.get(name)) for name in SIGNATURE] if signatures else []
        signature: object = "text" if text else (keys, *told)
        if signature not in seen:
            seen.add(signature)
            found.append(
                IndexSpec(name=name, keys=keys, options=options, named=draw(st.booleans()))
            )
    return tuple(found)


VALIDATORS: tuple[dict[str, Any] | None, ...] = (
    None,
    {"$jsonSchema": {"bsonType": "object", "required": ["a", "b"]}},
    {"$jsonSchema": {"properties": {"a": {"bsonType": ["int", "string"]}}}},
    {"$and": [{"a": {"$gt": 1}}, {"b": {"$exists": True}}]},
)


@st.composite
def specs(draw: st.DrawFn, signatures: bool = False) -> tuple[CollectionSpec, ...]:
    chosen = draw(st.lists(st.sampled_from(["x", "y"]), unique=True, max_size=2))
    return tuple(
        CollectionSpec(
            name=name,
            models=(f"app.{name}",),
            validator=draw(st.sampled_from(VALIDATORS)),
            indexes=draw(indexes(signatures)),
        )
        for name in chosen
    )
