"""What documents contain that the models of their collection refuse."""

from __future__ import annotations

from collections.abc import Iterator

from djongo_services.drift import words
from djongo_services.drift.comparison import Difference
from djongo_services.drift.distinct import identity, listed
from djongo_services.drift.model_shapes import ModelShape
from djongo_services.formatting import count, percent
from djongo_services.introspection.path import Path, render_path
from djongo_services.introspection.report import Field, Profile, TypeCount


def breaking(collection: str, profile: Profile, shape: ModelShape) -> Iterator[Difference]:
    """All differences of the collection."""
    if not profile.coverage.documents and not profile.fields:
        return
    yield from missing(collection, (), profile.fields, shape)
    for field in profile.fields:
        yield from breaking_below(collection, field, shape.below(field.path[-1]))


def breaking_below(collection: str, field: Field, shape: ModelShape) -> Iterator[Difference]:
    """The differences at a field and below."""
    if not shape:
        return
    for name, found in field.types.items():
        if not shape.accepts(name):
            yield refused_type(collection, field, name, found, shape)
    yield from too_long(collection, field, shape)
    yield from refused_values(collection, field, shape)
    if "object" in field.types and not field.map:
        yield from missing(collection, field.path, field.children, shape)
    for child in field.children:
        yield from breaking_below(collection, child, shape.below(child.path[-1]))


def refused_type(
    collection: str, field: Field, name: str, found: TypeCount, shape: ModelShape
) -> Difference:
    share = found.count / max(field.present, 1)
    return Difference(
        collection=collection,
        kind="type",
        sign="+",
        severity="breaks",
        subject=field.name,
        detail=name,
        after=f"{percent(share)} of the values" if share < 1 else "all values",
        after_share=share,
        models=accepted_words(shape),
    )


def accepted_words(shape: ModelShape) -> str:
    names = shape.accepted()
    return f"accept {words.any_of(names)}" if names else "accept none of these values"


def missing(
    collection: str, path: Path, fields: tuple[Field, ...], shape: ModelShape
) -> Iterator[Difference]:
    """Fields that models require in each object at ``path``, but that some of these lack."""
    have = {field.path[-1]: field for field in fields}
    for name in shape.names():
        if not shape.requires(name):
            continue
        field = have.get(name)
        if field is None:
            yield missing_field(collection, (*path, name), None)
        elif field.missing:
            yield missing_field(collection, field.path, field)


def missing_field(
    collection: str, path: Path, field: Field | None, *, before: str | None = None
) -> Difference:
    """A missing field; ``field`` is None if no object has it."""
    return Difference(
        collection=collection,
        kind="presence",
        sign="~" if before else "-",
        severity="breaks",
        subject=render_path(path),
        before=before or None,
        after=f"in no {words.parents_noun(path)}" if field is None else words.presence(field),
        after_share=0.0 if field is None else field.probability,
        models="require it",
    )


def refused_values(
    collection: str, field: Field, shape: ModelShape, before: Field | None = None
) -> Iterator[Difference]:
    """Values that are not among a model's choices and were not there ``before``, if all values are
    known and there are few."""
    choices = shape.choices()
    if choices is None or field.values is None or field.values.masked:
        return
    known = {identity(value) for value in choices}
    if before is not None and before.values is not None:
        known |= {identity(value) for value, _ in before.values.enum}
    refused = [value for value, _ in field.values.enum if identity(value) not in known]
    if refused:
        yield Difference(
            collection=collection,
            kind="enum",
            sign="+",
            severity="breaks",
            subject=field.name,
            detail="choices",
            after=listed(refused),
            models=f"have {count(len(choices))} choices",
        )


def too_long(collection: str, field: Field, shape: ModelShape) -> Iterator[Difference]:
    """Strings (if values were read) and arrays that are longer than models allow."""
    found = (
        ("maxLength", field.values.longest if field.values else None, "characters", "string"),
        ("maxItems", field.lengths.maximum if field.lengths else None, "elements", "array"),
    )
    for keyword, longest, noun, type_name in found:
        limit = shape.limit(keyword)
        if limit is None or longest is None or longest <= limit or type_name not in field.types:
            continue
        yield Difference(
            collection=collection,
            kind="length",
            sign="~",
            severity="breaks",
            subject=field.name,
            detail=noun,
            after=f"up to {count(longest)} {noun}",
            models=f"allow {count(limit)}",
        )
