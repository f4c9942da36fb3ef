"""The differences from an earlier profile of a collection, and the shares over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.collection_pages import CollectionPages, read_collection
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.multiples import multiples
from djongo_services.admin.pages import no_such
from djongo_services.admin.profiles.documents import unpacked
from djongo_services.admin.profiles.keeping import moment
from djongo_services.admin.profiles.series import PastProfile, Series
from djongo_services.connections import connections
from djongo_services.drift.comparing import compare
from djongo_services.drift.comparison import Comparison, Difference
from djongo_services.drift.words import basis_words, doubtful_words, models_words, what
from djongo_services.formatting import count, printable
from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.introspection.rendering.wording import coverage_text
from djongo_services.introspection.report import Profile, Report
from djongo_services.schema.spec import CollectionSpec

MOST_ROWS = 500
MOST_DRAWN = 200_000
"""The maximum size in bytes of the (packed) profiles that are read for the charts, newest first: a
page then takes a third of a second."""
_KINDS = {"+": "added", "~": "changed", "-": "removed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    listed: Sequence[PastProfile]
    """The profiles, newest first."""
    since: PastProfile | None
    data: dict[ObjectId, bytes]


class ChangesPage(CollectionPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/schema/changes/", self.changes, "schema_changes"),
            *super().page_urls(),
        ]

    def changes(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.address(object_id)
        since = _run(request.GET.get("since"))
        deadline = self.deadline(request, connections[address.alias])
        asked = deadline.ask(read_collection(address.collection))
        series = deadline.ask(lambda database: _read(database, address.collection, since))
        read = series.value
        if read is not None and since is not None and read.since is None:
            raise no_such(_("profile"))
        context: dict[str, Any] = {
            "schema_url": self.collection_url(address, "schema"),
            "state_trouble": series.trouble if asked.trouble is None else None,
            "is_read": read is not None,
            "past": [] if read is None else _choices(read),
        }
        catalog = asked.value
        if read is not None and catalog is not None and catalog.collections:
            context |= _context(read, catalog, self.spec(address))
        return self.tab(
            request, address, "schema", catalog, asked.trouble, context, template="changes.html"
        )


def _run(text: str | None) -> ObjectId | None:
    try:
        return ObjectId(text) if text else None
    except InvalidId:
        raise no_such(_("profile")) from None


def _read(database: Mongo, name: str, since: ObjectId | None) -> _Read:
    series = Series(database, name)
    listed = series.listed()
    earlier = listed[1:]
    chosen = next((one for one in earlier if since is None or one.id == since), None)
    wanted = [one.id for one in (*listed[:1], chosen) if one is not None]
    left = MOST_DRAWN
    for one in listed:
        left -= one.size
        if left < 0:
            break
        wanted.append(one.id)
    return _Read(listed=listed, since=chosen, data=series.read(dict.fromkeys(wanted)))


def _choices(read: _Read) -> list[dict[str, Any]]:
    return [
        {
            "id": str(one.id),
            "text": _("%(when)s, %(depth)s, for %(by)s")
            % {"when": moment(one.finished), "depth": one.reached, "by": printable(one.by)},
            "is_chosen": one == read.since,
        }
        for one in read.listed[1:]
    ]


def _context(read: _Read, catalog: Catalog, spec: CollectionSpec | None) -> dict[str, Any]:
    collection = catalog.collections[0]
    profiles = {run: _report(catalog, collection, data) for run, data in read.data.items()}
    context = _pictures(read, profiles)
    if read.since is None:
        return context
    before, after = profiles.get(read.since.id), profiles.get(read.listed[0].id)
    if before is None or after is None:  # It was removed from the series in the meantime.
        return context
    models = {} if spec is None else {collection.name: spec}
    return context | _differences(read.since, read.listed[0], compare(before, after, models=models))


def _report(catalog: Catalog, collection: Collection, data: bytes) -> Report:
    return Report(
        server=catalog.server,
        database=catalog.database,
        collections=(unpacked(data, collection),),
    )


def _differences(since: PastProfile, newest: PastProfile, found: Comparison) -> dict[str, Any]:
    every = list(found.differences())
    counting = [one for one in every if one.counts]
    rest = len(counting) - MOST_ROWS
    sides = [(one.before, one.after) for one in found.collections]
    return {
        "is_compared": True,
        "since": moment(since.finished),
        "until": moment(newest.finished),
        "coverages": [
            {"label": label, "text": text}
            for label, text in zip(
                (_("Before"), _("After")), sides[0] if sides else (), strict=False
            )
            if text
        ],
        "number": ngettext("%(count)s difference", "%(count)s differences", len(counting))
        % {"count": count(len(counting))},
        "basis": basis_words(found),
        "rows": [_row(one) for one in counting[:MOST_ROWS]],
        "rest": count(rest) if rest > 0 else None,
        "doubtful": doubtful_words(every),
    }


def _row(found: Difference) -> dict[str, Any]:
    severities = {"breaks": _("breaks the models"), "new": _("new"), "moved": _("moved")}
    return {
        "kind": _KINDS[found.sign],
        "sign": found.sign,
        "what": what(found),
        "before": found.before,
        "after": found.after,
        "severity": found.severity,
        "tag": severities[found.severity],
        "models": models_words(found),
    }


def _pictures(read: _Read, reports: dict[ObjectId, Report]) -> dict[str, Any]:
    series: list[tuple[datetime, Profile]] = []
    for one in reversed(read.listed):
        report = reports.get(one.id)
        profile = report.collections[0].profile if report is not None else None
        if profile is not None:
            series.append((one.finished, profile))
    drawn, more = multiples(series)
    return {
        "multiples": drawn,
        "more": count(more) if more else None,
        "drawn_since": moment(series[0][0]) if series else None,
        "coverage": coverage_text(series[-1][1].coverage) if series else None,
    }
