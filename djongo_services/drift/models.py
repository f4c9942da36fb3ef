"""A comparison of a report with the models' specs for the documents."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from djongo_services.drift import words
from djongo_services.drift.breaking import breaking
from djongo_services.drift.comparing import side_of
from djongo_services.drift.comparison import CollectionDrift, Comparison, Difference, Side
from djongo_services.drift.model_shapes import ModelShape
from djongo_services.formatting import counted, printable
from djongo_services.introspection.rendering.wording import coverage_text
from djongo_services.introspection.report import CollectionReport, Field, Report
from djongo_services.schema.spec import CollectionSpec
from djongo_services.translation import english

_NAMED = 5
_ALWAYS_KNOWN = frozenset({"_id", "__safeContent__"})
"""Fields that the server itself adds to documents."""


@english()  # It is written as JSON, and kept.
def compare_with_models(
    report: Report,
    models: Mapping[str, CollectionSpec],
    *,
    label: str = "the database",
    chosen: Callable[[str], bool] = lambda name: True,
) -> Comparison:
    """The shapes that models refuse, and the fields that no model declares.

    Only documents are compared: for indexes, options and validators, there is the plan of
    ``syncmongoschema``. Everything that is reported exists, whatever the depth; ``sample`` may miss
    rare cases. ``chosen`` is as in :func:`~djongo_services.drift.comparing.compare`.
    """
    found = {one.collection.name: one for one in report.collections if chosen(one.collection.name)}
    specs = {name: spec for name, spec in models.items() if chosen(name)}
    drifts = [_drift(specs[name], found[name]) for name in sorted(specs.keys() & found.keys())]
    return Comparison(
        before=Side(label="the models"),
        after=side_of(report, label),
        collections=tuple(one for one in drifts if one.differences or one.notes),
        compared=len(drifts),
        notes=tuple(_notes(specs, found.keys())),
    )


def _notes(specs: Mapping[str, CollectionSpec], found: Collection[str]) -> Iterator[str]:
    others = [name for name in found if name not in specs]
    absent = sorted(name for name in specs if name not in found)
    known = [specs[name] for name in found if name in specs]
    lax = [spec for spec in known if not spec.view and not ModelShape.of(spec)]
    if others:
        belong = "belongs" if len(others) == 1 else "belong"
        yield f"{counted(len(others), 'collection')} not compared, which {belong} to no model."
    if absent:
        named = ", ".join(map(printable, absent[:_NAMED]))
        more = f" and {len(absent) - _NAMED:,} more" if len(absent) > _NAMED else ""
        yield f"{counted(len(absent), 'collection')} of models not there yet: {named}{more}."
    if lax:
        yield f"{counted(len(lax), 'collection')} not compared, whose models state no rules."


def _drift(spec: CollectionSpec, report: CollectionReport) -> CollectionDrift:
    profile = report.profile
    shape = ModelShape.of(spec)
    differences: list[Difference] = []
    notes: list[str] = []
    if profile is None:
        notes.append("Fields not compared: the documents were not read.")
    else:
        differences += breaking(spec.name, profile, shape)
        differences += _undeclared(spec.name, profile.fields, shape, top=True)
    return CollectionDrift(
        name=spec.name,
        models=spec.models,
        after=coverage_text(profile.coverage) if profile is not None else None,
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _undeclared(
    collection: str, fields: tuple[Field, ...], shape: ModelShape, *, top: bool = False
) -> Iterator[Difference]:
    """The outermost fields that no model declares."""
    if not shape:
        return
    for field in fields:
        name = field.path[-1]
        if shape.knows(name) or (top and name in _ALWAYS_KNOWN):
            yield from _undeclared(collection, field.children, shape.below(name))
            continue
        yield Difference(
            collection=collection,
            kind="field",
            sign="+",
            severity="new",
            subject=field.name,
            after=words.field_words(field),
            after_share=field.probability,
        )
