"""Changes of one collection's options; most of them cannot be changed once it exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from djongo_services.introspection.catalog import Collection, Validator
from djongo_services.schema.diff.filters import freeze
from djongo_services.schema.diff.normal import same_collation
from djongo_services.schema.diff.validators import same_validator
from djongo_services.schema.operations import SetCollectionTTL
from djongo_services.schema.plan import Change
from djongo_services.schema.remaking import FinishRemaking, RemakeCollection
from djongo_services.schema.spec import CollectionSpec, IndexSpec

_FIXED = ("capped", "size", "max", "timeseries", "clusteredIndex", "viewOn", "storageEngine")
_CAPPED_SIZE_STEP = 256
"""The server rounds a capped collection's size up to a multiple of this."""


def diff_options(found: Collection, spec: CollectionSpec) -> list[Change]:
    """Changes of options that the models set; other options are left unchanged."""
    return [_impossible(found, what) for what in fixed(found, spec)] + _diff_ttl(found, spec)


def fixed(found: Collection, spec: CollectionSpec) -> list[str]:
    """The differences that cannot be changed on an existing collection."""
    differences = [
        f"{name} is {_shown(found.options.get(name))}, wanted {_shown(wanted)}"
        for name, wanted in spec.options.items()
        if name in _FIXED and not _same_option(name, wanted, found.options.get(name))
    ]
    collation = spec.options.get("collation")
    if collation is not None and not same_collation(collation, found.options.get("collation")):
        differences.append("its default collation is another")
    if "capped" not in spec.options and found.capped:
        differences.append("it is capped, and the models want it uncapped")
    return differences


def as_asked(found: Collection, options: Mapping[str, Any]) -> bool:
    """Whether it is what ``create`` makes with these options."""
    spec = CollectionSpec(name=found.name, models=(), options=options)
    if found.type == "view" or fixed(found, spec) or _diff_ttl(found, spec):
        return False
    query = options.get("validator")
    if not query:
        return found.validator is None or not found.validator.query
    level, action = options.get("validationLevel"), options.get("validationAction")
    wanted = Validator(query=query, level=level or "strict", action=action or "error")
    return same_validator(found.validator, wanted)


def is_made_by_insert(found: Collection) -> bool:
    """Whether the server may have created it implicitly, for a document."""
    is_plain = found.type == "collection" and not found.options and found.validator is None
    return is_plain and all(index.is_id for index in found.indexes)


def make_anew(
    name: str,
    found: Collection | None,
    differences: Sequence[str],
    options: Mapping[str, Any],
    indexes: tuple[IndexSpec, ...],
) -> Change:
    """The recreation of a collection without documents: nothing needs to be copied."""
    words = "recreated, which an interrupted run began"
    if differences:
        words = f"recreated, because it has no documents: {'; '.join(differences)}"
    anew = RemakeCollection(
        collection=name,
        options=options,
        indexes=indexes,
        found={} if found is None else found.options,
    )
    steps = (anew, FinishRemaking(collection=name))
    return Change(collection=name, sign="~", words=words, operations=steps)


def finish_remaking(name: str) -> Change:
    """Clean up after an interruption: the new collection exists, and the old one may exist, too."""
    step = FinishRemaking(collection=name)
    words = f"recreated by an interrupted run; {step.words()}"
    return Change(collection=name, sign="~", words=words, operations=(step,))


def view(spec: CollectionSpec, found: Collection | None) -> Change:
    """The result for models that read a view: a note, or what is wrong."""
    if found is None:
        words = "the view does not exist; it is not created, because the models do not define it"
        return Change(collection=spec.name, sign="+", words=words)
    if found.type == "view":
        words = f"a view of {found.view_on}: nothing in it is synchronised"
        return Change(collection=spec.name, sign="~", words=words)
    words = "a collection exists where the models expect a view; remove view=True from the models"
    return Change(collection=spec.name, sign="!", words=words)


def _diff_ttl(found: Collection, spec: CollectionSpec) -> list[Change]:
    if "expireAfterSeconds" not in spec.options:
        return []
    before, after = found.options.get("expireAfterSeconds"), spec.options["expireAfterSeconds"]
    if before == after:
        return []
    operation = SetCollectionTTL(collection=found.name, before=before, after=after)
    words = operation.words()
    return [Change(collection=found.name, sign="~", words=words, operations=(operation,))]


def _same_option(name: str, wanted: Any, found: Any) -> bool:
    if name == "size" and found is not None:
        return -(-int(wanted) // _CAPPED_SIZE_STEP) * _CAPPED_SIZE_STEP == int(found)
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        # The server adds omitted options: granularity, bucketMaxSpanSeconds, v, name.
        return all(freeze(found.get(key)) == freeze(value) for key, value in wanted.items())
    return bool(freeze(wanted) == freeze(found))


def _impossible(found: Collection, what: str) -> Change:
    words = (
        f"{what}; MongoDB cannot change that on an existing collection: "
        f"copy the documents into a new one"
    )
    if found.type == "timeseries":
        words += ", or drop it while it has none; a time-series collection cannot be renamed"
    return Change(collection=found.name, sign="!", words=words)


def _shown(value: Any) -> str:
    return "not set" if value is None else str(value)
