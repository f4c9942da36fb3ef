"""The words of a report, in the reader's language: what the terminal and the page say alike.

Everything returned is printable and nothing else; the renderers escape for their own medium.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from djongo_services.abilities import Abilities
from djongo_services.formatting import (
    count,
    decimal,
    document_text,
    percent,
    printable,
    size,
    value_text,
)
from djongo_services.introspection.catalog import (
    Collection,
    Index,
    IndexUsage,
    Statistics,
    Unavailable,
)
from djongo_services.introspection.report import (
    CollectionReport,
    Coverage,
    Finding,
    Report,
)
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext, pgettext

_ARROWS = {1: "↑", -1: "↓"}


def server_text(server: Abilities) -> str:
    """``MongoDB 6.0.27, replica set rs0 of 3 members (db1:27017, ...)``."""
    parts = [f"MongoDB {printable(server.version)}"]
    compatible = server.feature_compatibility
    if compatible is not None and not server.version.startswith(compatible):
        parts.append(_("feature compatibility %(version)s") % {"version": printable(compatible)})
    hosts = printable(", ".join(server.members))
    return f"{', '.join([*parts, _topology_text(server)])} ({hosts})"


def _topology_text(server: Abilities) -> str:
    if server.topology == "replica set":
        text = ngettext(
            "replica set %(name)s of %(count)s member",
            "replica set %(name)s of %(count)s members",
            len(server.members),
        )
        words = {"name": printable(server.set_name or ""), "count": count(len(server.members))}
        return text % words
    text = {"standalone": _("standalone"), "sharded": _("sharded")}.get(
        server.topology, server.topology
    )
    return f"{text} {printable(server.set_name)}" if server.set_name else text


def summary_text(report: Report) -> str:
    """``3 collections, 12 warnings``, or that there are none."""
    if not report.collections:
        text = _("The database %(database)s has no collections to show.")
        return text % {"database": printable(report.database)}
    number = len(report.collections)
    text = ngettext("%(count)s collection", "%(count)s collections", number)
    phrases = [text % {"count": count(number)}]
    if warnings := sum(len(found.warnings) for found in report.collections):
        text = ngettext("%(count)s warning", "%(count)s warnings", warnings)
        phrases.append(text % {"count": count(warnings)})
    if muted := sum(found.muted for found in report.collections):
        phrases.append(muted_text(muted))
    return ", ".join(phrases)


def muted_text(number: int) -> str:
    """``2 warnings muted``."""
    text = ngettext("%(count)s warning muted", "%(count)s warnings muted", number)
    return text % {"count": count(number)}


def facts(report: CollectionReport) -> list[str]:
    """What kind of collection it is, how much is in it, and its options, a phrase each."""
    collection, found = report.collection, []
    if documents := documents_text(report):
        found.append(documents)
    if statistics := collection.statistics:
        found.append(_data_text(statistics))
        found.append(_("%(size)s on disk") % {"size": size(statistics.storage_size)})
        found.append(_("%(size)s of indexes") % {"size": size(statistics.index_size)})
    found.extend(_options(collection))
    if validator := collection.validator:
        words = {"level": validator.level, "action": validator.action}
        found.append(_("validator: %(level)s, %(action)s") % words)
    if report.profile is None:
        found.append(_("documents not read"))
    return found


def _data_text(statistics: Statistics) -> str:
    if statistics.average_size is None:
        return _("%(size)s of data") % {"size": size(statistics.size)}
    words = {"size": size(statistics.size), "average": size(statistics.average_size)}
    return _("%(size)s of data (%(average)s each)") % words


def documents_text(report: CollectionReport) -> str | None:
    statistics, profile = report.collection.statistics, report.profile
    if profile is not None and profile.coverage.reached == "exact":
        return _documents(profile.coverage.documents)
    if statistics is not None and statistics.count is not None:
        return _documents(statistics.count)
    return _documents(profile.coverage.documents) if profile is not None else None


def _documents(number: int) -> str:
    text = ngettext("%(count)s document", "%(count)s documents", number)
    return text % {"count": count(number)}


def kind_text(collection: Collection) -> str:
    match collection.type:
        case "view":
            return _("view on %(collection)s") % {
                "collection": printable(collection.view_on or "?")
            }
        case "timeseries":
            return pgettext("a collection", "time series")
    if collection.capped:
        return _("capped collection")
    if collection.clustered:
        return _("clustered collection")
    return _("collection")


def coverage_text(coverage: Coverage) -> str:
    """How much stands behind the figures, in one phrase."""
    if coverage.documents == 0 and coverage.examined == 0:
        return pgettext("of a collection", "empty")
    margin = decimal((coverage.margin or 0) * 100)
    words = {"examined": count(coverage.examined), "points": margin, "confidence": "95 %"}
    return _coverage_sentence(coverage) % {**words, "count": count(coverage.documents)}


def _coverage_sentence(coverage: Coverage) -> str:
    documents = coverage.documents
    if coverage.reached == "exact":
        if documents == 1:
            return _("exact: the only document counted")
        return ngettext(
            "exact: all %(count)s document counted",
            "exact: all %(count)s documents counted",
            documents,
        )
    is_estimate = bool(coverage.margin)
    if not is_estimate and coverage.examined >= documents:
        if coverage.examined == 1:
            return _("the only document examined")
        return ngettext(
            "all %(examined)s document examined",
            "all %(examined)s documents examined",
            coverage.examined,
        )
    if coverage.proven and is_estimate:
        return ngettext(
            "complete: every type in %(count)s document is known, shares are estimates, "
            "±%(points)s points (%(confidence)s)",
            "complete: every type in %(count)s documents is known, shares are estimates, "
            "±%(points)s points (%(confidence)s)",
            documents,
        )
    if coverage.proven:
        return ngettext(
            "complete: every type in %(count)s document is known",
            "complete: every type in %(count)s documents is known",
            documents,
        )
    if not is_estimate:
        return ngettext(
            "%(examined)s of %(count)s document examined",
            "%(examined)s of %(count)s documents examined",
            documents,
        )
    return ngettext(
        "sample of %(examined)s of %(count)s document: shares are estimates, ±%(points)s points "
        "(%(confidence)s)",
        "sample of %(examined)s of %(count)s documents: shares are estimates, ±%(points)s points "
        "(%(confidence)s)",
        documents,
    )


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
        return [_("not available")]
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
    examples = ", ".join(value_text(found) for found in warning.examples)
    return _("%(warning)s For example: %(examples)s.") % {"warning": text, "examples": examples}


def missing_text(missing: Unavailable) -> str:
    """What could not be read of a collection, and why."""
    words = {"what": printable(missing.what), "reason": printable(missing.reason)}
    return _("%(what)s not available: %(reason)s") % words


def partial_text(reason: str) -> str:
    """The reason why the result is incomplete."""
    return _("Partial: %(partial)s") % {"partial": printable(reason)}


def _options(collection: Collection) -> list[str]:
    options, found = collection.options, []
    if collection.capped:
        found.append(_capped_text(options))
    if series := options.get("timeseries"):
        found.append(_series_text(series))
    if "expireAfterSeconds" in options:
        text = _("documents expire after %(seconds)s s")
        found.append(text % {"seconds": count(options["expireAfterSeconds"])})
    if collation := options.get("collation"):
        found.append(_collation_text(collation))
    if "pipeline" in options:
        number = len(options["pipeline"])
        text = ngettext("pipeline of %(count)s stage", "pipeline of %(count)s stages", number)
        found.append(text % {"count": count(number)})
    known = {"capped", "size", "max", "timeseries", "expireAfterSeconds", "collation"}
    known |= {"pipeline", "viewOn", "clusteredIndex", "autoIndexId"}
    rest = {key: value for key, value in options.items() if key not in known}
    if rest:
        found.append(_("options %(options)s") % {"options": document_text(rest)})
    return found


def _capped_text(options: Mapping[str, Any]) -> str:
    words = {"size": size(options.get("size", 0))}
    if not options.get("max"):
        return _("capped at %(size)s") % words
    most = int(options["max"])
    text = ngettext(
        "capped at %(size)s or %(count)s document",
        "capped at %(size)s or %(count)s documents",
        most,
    )
    return text % {**words, "count": count(most)}


def _series_text(series: Mapping[str, Any]) -> str:
    words = {"time": printable(series.get("timeField", "?"))}
    if "metaField" not in series:
        return _("time field %(time)s") % words
    words["meta"] = printable(series["metaField"])
    return _("time field %(time)s, meta field %(meta)s") % words


def _collation_text(collation: Mapping[str, Any]) -> str:
    return _("collation %(locale)s") % {"locale": printable(str(collation.get("locale")))}


def _usage(usage: IndexUsage) -> str:
    words = {"count": count(usage.operations), "day": f"{usage.since:%Y-%m-%d}"}
    return _("%(count)s since %(day)s") % words


def _property(index: Index, mark: str) -> str:
    match mark:
        case "TTL":
            return f"TTL {count(int(index.expire_after_seconds or 0))} s"
        case "partial":
            return f"partial {document_text(index.partial_filter or {})}"
        case "collation":
            return _collation_text(index.collation or {})
        case "building" if index.build and index.build.done is not None and index.build.total:
            share = percent(index.build.done / index.build.total)
            return _("building, %(share)s done") % {"share": share}
        case "building":
            return _("building")
    return mark
