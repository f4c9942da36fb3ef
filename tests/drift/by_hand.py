"""Reports made by hand, and the result of comparing them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from djongo_services.drift.comparing import compare
from djongo_services.drift.comparison import Comparison, Difference
from djongo_services.drift.words import line
from djongo_services.introspection.catalog import Collection, Index, Validator
from djongo_services.introspection.report import (
    CollectionReport,
    Coverage,
    Field,
    Profile,
    Reference,
    Report,
    TypeCount,
)
from djongo_services.schema.spec import CollectionSpec
from tests.introspection.render_example import SERVER

SAMPLE = 1_000


def sampled(documents: int, *, of: int, proven: bool = False) -> Coverage:
    """The coverage that a random sample of ``documents`` would report."""
    margin = 1.96 * 0.5 / documents**0.5 * ((of - documents) / (of - 1)) ** 0.5
    return Coverage(
        requested="sample",
        reached="complete" if proven else "sample",
        documents=of,
        examined=documents,
        proven=proven,
        margin=margin,
    )


def counted(documents: int) -> Coverage:
    return Coverage(
        requested="exact", reached="exact", documents=documents, examined=0, proven=True
    )


def field(
    *path: Any, parents: int, children: Sequence[Field] = (), lengths: Any = None, **types: int
) -> Field:
    return Field(
        path=path,
        parents=parents,
        types={
            name: TypeCount(count=number, probability=number / parents)
            for name, number in types.items()
        },
        children=tuple(children),
        lengths=lengths,
    )


def report(
    *fields: Field,
    coverage: Coverage,
    name: str = "things",
    indexes: Sequence[Index] = (),
    options: Mapping[str, Any] | None = None,
    validator: Validator | None = None,
    references: Sequence[Reference] = (),
) -> Report:
    collection = Collection(
        name=name, indexes=tuple(indexes), options=options or {}, validator=validator
    )
    profile = Profile(collection=name, fields=fields, coverage=coverage)
    found = CollectionReport(collection=collection, profile=profile, references=tuple(references))
    return Report(server=SERVER, database="shop", collections=(found,))


def spec(**schema: Any) -> dict[str, CollectionSpec]:
    """The specs of a model whose validator is that schema."""
    validator = {"$jsonSchema": {"bsonType": "object", **schema}}
    return {"things": CollectionSpec(name="things", models=("a.Thing",), validator=validator)}


def differences(before: Report, after: Report, **options: Any) -> list[Difference]:
    return list(compare(before, after, **options).differences())


def lines(before: Report, after: Report, **options: Any) -> list[str]:
    """The lines of the differences that count."""
    return [line(one) for one in differences(before, after, **options) if one.counts]


def doubts(comparison: Comparison) -> list[str]:
    return [line(one) for one in comparison.differences() if not one.certain]
