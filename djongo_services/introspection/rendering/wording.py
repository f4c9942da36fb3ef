"""The words of a report: what the terminal and the page say alike.

Everything returned is printable and nothing else; the renderers escape for their own medium.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bson import ObjectId

from djongo_services.abilities import Abilities
from djongo_services.formatting import (
    count,
    counted,
    decimal,
    document_text,
    percent,
    printable,
    size,
    value_text,
)
from djongo_services.introspection.catalog import Collection, Index, IndexUsage
from djongo_services.introspection.path import Step, render_path
from djongo_services.introspection.report import (
    ArrayLengths,
    CollectionReport,
    Coverage,
    Field,
    Finding,
    MapKeys,
    Reference,
    Report,
    ValueSummary,
)

ENUM_SHOWN = 6
"""Values of an enumeration that are listed; the rest is a number."""

_FORMS = {"text": "kept as text", "pointer": "Parse pointer"}
_ARROWS = {1: "↑", -1: "↓"}


def server_text(server: Abilities) -> str:
    """``MongoDB 6.0.27, replica set rs0 of 3 members (db1:27017, ...)``."""
    name = f" {printable(server.set_name)}" if server.set_name else ""
    members = counted(len(server.members), "member")
    hosts = printable(", ".join(server.members))
    of = f" of {members}" if server.topology == "replica set" else ""
    compatible = server.feature_compatibility
    lags = compatible is not None and not server.version.startswith(compatible)
    older = f", feature compatibility {printable(compatible or '')}" if lags else ""
    return f"MongoDB {printable(server.version)}{older}, {server.topology}{name}{of} ({hosts})"


def summary_text(report: Report) -> str:
    """``3 collections, 12 warnings``, or that there are none."""
    if not report.collections:
        return f"The database {printable(report.database)} has no collections to show."
    phrases = [counted(len(report.collections), "collection")]
    if warnings := sum(len(found.warnings) for found in report.collections):
        phrases.append(counted(warnings, "warning"))
    if muted := sum(found.muted for found in report.collections):
        phrases.append(muted_text(muted))
    return ", ".join(phrases)


def muted_text(number: int) -> str:
    """``2 warnings muted``."""
    return f"{counted(number, 'warning')} muted"


def facts(report: CollectionReport) -> list[str]:
    """What kind of collection it is, how much is in it, and its options, a phrase each."""
    collection, found = report.collection, []
    if documents := documents_text(report):
        found.append(documents)
    if statistics := collection.statistics:
        average = statistics.average_size
        each = f" ({size(average)} each)" if average is not None else ""
        found.append(f"{size(statistics.size)} of data{each}")
        found.append(f"{size(statistics.storage_size)} on disk")
        found.append(f"{size(statistics.index_size)} of indexes")
    found.extend(_options(collection))
    if validator := collection.validator:
        found.append(f"validator: {validator.level}, {validator.action}")
    if report.profile is None:
        found.append("documents not read")
    return found


def documents_text(report: CollectionReport) -> str | None:
    statistics, profile = report.collection.statistics, report.profile
    if profile is not None and profile.coverage.reached == "exact":
        return counted(profile.coverage.documents, "document")
    if statistics is not None and statistics.count is not None:
        return counted(statistics.count, "document")
    return counted(profile.coverage.documents, "document") if profile is not None else None


def kind_text(collection: Collection) -> str:
    match collection.type:
        case "view":
            return f"view on {printable(collection.view_on or '?')}"
        case "timeseries":
            return "time series"
        case _ if collection.capped:
            return "capped collection"
        case _ if collection.clustered:
            return "clustered collection"
        case _:
            return "collection"


def coverage_text(coverage: Coverage) -> str:
    """How much stands behind the figures, in one phrase."""
    documents = counted(coverage.documents, "document")
    if coverage.documents == 0 and coverage.examined == 0:
        return "empty"
    if coverage.reached == "exact":
        return f"exact: {_every(coverage.documents)} counted"
    is_estimate = bool(coverage.margin)
    margin = f"±{decimal((coverage.margin or 0) * 100)} points (95 %)"
    if not is_estimate and coverage.examined >= coverage.documents:
        return f"{_every(coverage.examined)} examined"
    if coverage.proven:
        proof = f"complete: every type in {documents} is known"
        return f"{proof}, shares are estimates, {margin}" if is_estimate else proof
    if not is_estimate:
        return f"{count(coverage.examined)} of {documents} examined"
    return f"sample of {count(coverage.examined)} of {documents}: shares are estimates, {margin}"


def _every(documents: int) -> str:
    return "the only document" if documents == 1 else f"all {counted(documents, 'document')}"


def rows(fields: tuple[Field, ...], depth: int = 0) -> Iterator[tuple[int, str, Field]]:
    """Fields as an indented tree: depth, the label of the last step, the field."""
    for field in fields:
        last = field.path[-1]
        label = last.value if isinstance(last, Step) else printable(render_path((last,)))
        # Spaces at the edge of a name would not be seen.
        yield depth, label if label == label.strip() else f'"{label}"', field
        yield from rows(field.children, depth + 1)


def notes(field: Field, references: tuple[Reference, ...]) -> list[str]:
    """What is known of a field besides its types, a phrase each."""
    found = [reference_text(reference) for reference in references if reference.path == field.path]
    if field.map:
        found.append(_map_text(field.map))
    if field.lengths:
        found.append(lengths_text(field.lengths))
    if field.values:
        found.extend(_value_notes(field.values, next(iter(field.types), "")))
    return found


def lengths_text(lengths: ArrayLengths) -> str:
    """``2 elements``, ``0 to 8 elements, 3.1 on average``."""
    if lengths.minimum == lengths.maximum:
        return counted(lengths.maximum, "element")
    span = f"{count(lengths.minimum)} to {count(lengths.maximum)} elements"
    return f"{span}, {decimal(lengths.mean)} on average"


def reference_text(reference: Reference) -> str:
    """``→ people._id``, with the share found where that is not everything."""
    target = f"{printable(reference.target)}.{printable(reference.target_path)}"
    text = f"→ {target}" if reference.target_path != "_id" else f"→ {printable(reference.target)}"
    if form := _FORMS.get(reference.kind):
        text = f"{text}, {form}"
    if reference.confidence < 1:
        return f"{text} ({percent(reference.confidence)} of {count(reference.checked)} found)"
    return text


def index_keys(index: Index) -> str:
    """``author_id ↑, written ↓``; a special type is written out: ``body text``."""
    parts = []
    for name, direction in index.keys:
        shown: Any = direction
        if not isinstance(direction, str):
            shown = _ARROWS.get(int(direction), direction)
        parts.append(f"{printable(name)} {printable(str(shown))}")
    return ", ".join(parts)


def index_properties(index: Index) -> list[str]:
    """The marks of an index with what they hold: ``unique``, ``TTL 3,600 s``, ``partial {...}``."""
    return [_property(index, mark) for mark in index.properties]


def usage_texts(index: Index) -> list[str]:
    """Per host, since when; a count of zero is only that host's."""
    if index.usage is None:
        return ["not available"]
    several = len(index.usage) > 1
    return [
        f"{printable(usage.host)}: {_usage(usage)}" if several else _usage(usage)
        for usage in index.usage
    ]


def warning_text(warning: Finding) -> str:
    """The sentence, and the documents to look at."""
    text = printable(warning.message)
    if not warning.examples:
        return text
    return f"{text} For example: {', '.join(value_text(found) for found in warning.examples)}."


def _options(collection: Collection) -> list[str]:
    options, found = collection.options, []
    if collection.capped:
        most = options.get("max")
        documents = f" or {counted(int(most), 'document')}" if most else ""
        found.append(f"capped at {size(options.get('size', 0))}{documents}")
    if series := options.get("timeseries"):
        meta = f", meta field {printable(series['metaField'])}" if "metaField" in series else ""
        found.append(f"time field {printable(series.get('timeField', '?'))}{meta}")
    if "expireAfterSeconds" in options:
        found.append(f"documents expire after {count(options['expireAfterSeconds'])} s")
    if collation := options.get("collation"):
        found.append(f"collation {printable(str(collation.get('locale')))}")
    if "pipeline" in options:
        found.append(f"pipeline of {counted(len(options['pipeline']), 'stage')}")
    known = {"capped", "size", "max", "timeseries", "expireAfterSeconds", "collation"}
    known |= {"pipeline", "viewOn", "clusteredIndex", "autoIndexId"}
    rest = {key: value for key, value in options.items() if key not in known}
    if rest:
        found.append(f"options {document_text(rest)}")
    return found


def _map_text(keys: MapKeys) -> str:
    least = "at least " if keys.distinct_is_bound else ""
    form = "mixed" if keys.format == "mixed" else printable(keys.format)
    noun = "key" if keys.distinct == 1 else "keys"
    return f"map: {least}{count(keys.distinct)} {form} {noun}"


def _value_notes(values: ValueSummary, type_name: str) -> list[str]:
    """``type_name``: the most frequent type at the path."""
    if values.constant and not values.masked:
        only = values.enum[0][0] if values.enum else values.minimum
        return [f"always {value_text(only)}"]
    found = [f"{printable(name)} {percent(share)}" for name, share in values.formats.items()]
    # One ObjectId tells nobody more than another: how many there are is all that is said of them.
    is_listed = bool(values.enum) and not _are_object_ids(values)
    if values.masked:
        found.append("values hidden")
    elif is_listed:
        found.append(_enum_text(values))
    elif values.minimum is not None and not _are_object_ids(values):
        found.append(f"{value_text(values.minimum)} to {value_text(values.maximum)}")
    if values.longest is not None:
        unit = "byte" if type_name.startswith("binData") else "character"
        same = values.shortest == values.longest
        span = "" if same else f"{count(values.shortest or 0)} to "
        found.append(f"{span}{counted(values.longest, unit)}")
    if values.distinct is not None and not is_listed:
        least = "at least " if values.distinct_is_bound else ""
        found.append(f"{least}{count(values.distinct)} distinct")
    if values.boolean_like:
        found.append("reads as yes or no")
    return found


def _are_object_ids(values: ValueSummary) -> bool:
    if values.enum:
        return all(isinstance(value, ObjectId) for value, _ in values.enum if value is not None)
    return isinstance(values.minimum, ObjectId)


def _enum_text(values: ValueSummary) -> str:
    total = sum(number for _, number in values.enum)
    shown = [
        f"{value_text(value, 24)} {percent(number / total)}"
        for value, number in values.enum[:ENUM_SHOWN]
    ]
    if rest := len(values.enum) - ENUM_SHOWN:
        shown += [f"{count(rest)} more"] if rest > 0 else []
    return "one of " + ", ".join(shown)


def _usage(usage: IndexUsage) -> str:
    return f"{count(usage.operations)} since {usage.since:%Y-%m-%d}"


def _property(index: Index, mark: str) -> str:
    match mark:
        case "TTL":
            return f"TTL {count(int(index.expire_after_seconds or 0))} s"
        case "partial":
            return f"partial {document_text(index.partial_filter or {})}"
        case "collation":
            return f"collation {printable(str((index.collation or {}).get('locale')))}"
        case "building" if index.build and index.build.done is not None and index.build.total:
            return f"building, {percent(index.build.done / index.build.total)} done"
        case _:
            return mark
