"""The Collector tab: the garbage in a bucket, its trash, and the history of runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.collecting import (
    KINDS,
    CollectorOptions,
    kind_name,
    kind_words,
    written_age,
)
from djongo_services.admin.files.filters import FOUND
from djongo_services.admin.files.findings import DryRun, last_survey
from djongo_services.admin.files.job_pages import JobPages, job_context
from djongo_services.admin.files.rows import chunks_text, files_text, moment_text, trash_text
from djongo_services.admin.jobs.bucket_jobs import BucketJobs, Job
from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.formatting import LONGEST_AGE, age_text, count, printable, size
from djongo_services.storage.collector import CollectorRun, TrashSummary, count_trash, list_runs

RUNS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """The data for the page."""

    jobs: list[Job]
    survey: DryRun | None
    runs: list[CollectorRun]
    trash: TrashSummary


class CollectorPage(JobPages):
    def page_urls(self) -> list[URLPattern]:
        begin = require_POST(self.begin_dry_run)
        return [
            self.page_url("<path:object_id>/collector/", self.collector, "collector"),
            self.page_url("<path:object_id>/collector/dry/", begin, "dry_run"),
            self.page_url("<path:object_id>/collector/collect/", self.collect, "collect"),
            self.page_url("<path:object_id>/collector/empty/", self.empty_trash, "empty_trash"),
            *super().page_urls(),
        ]

    def collector(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view")
        address = self.bucket_address(object_id)
        asked = self.deadline(request, connections[address.alias]).ask(
            lambda database: _read(database, address.bucket)
        )
        context: dict[str, Any] = {"tab": "collector", "trouble": asked.trouble}
        if asked.value is not None:
            context |= self._collector_context(address, asked.value)
        return self.bucket_page(request, address, "collector.html", context)

    def begin_dry_run(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.bucket_address(object_id)
        wanted = self._wanted(request)
        if wanted is None:
            return HttpResponseRedirect(self.page_of(address, "collector"))
        return self.begin_job(request, address, "dry-run", wanted.words, wanted.arguments)

    def collect(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "delete")
        address = self.bucket_address(object_id)
        wanted = self._wanted(request)
        if wanted is None:
            return HttpResponseRedirect(self.page_of(address, "collector"))
        if request.method == "POST":
            return self.begin_job(
                request,
                address,
                "collect",
                wanted.words,
                wanted.arguments,
                log=_("Collected garbage: %(words)s.") % {"words": wanted.words},
            )
        return self._confirmation(
            request,
            address,
            {
                "title": _("Collect garbage"),
                "submit": _("Collect"),
                "is_grave": True,
                "said": [
                    capfirst(wanted.words),
                    _("Each item is checked again, and moved to the trash."),
                    ngettext(
                        "It can be restored from there for %(days)s day.",
                        "It can be restored from there for %(days)s days.",
                        settings.storage.trash_days,
                    )
                    % {"days": settings.storage.trash_days},
                ],
                "hidden": [
                    ("older", wanted.age),
                    ("verify", "1" if wanted.verify else ""),
                    *(("only", kind) for kind in wanted.only),
                ],
            },
        )

    def empty_trash(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Delete the entries that have been in the trash long enough, or all entries."""
        self.require(request, "view", "delete")
        address = self.bucket_address(object_id)
        days = _days(request.POST.get("days", request.GET.get("days", "")))
        typed = printable(address.bucket)
        is_confirmed = request.POST.get("name", "").strip() == typed.strip()
        if request.method == "POST" and is_confirmed:
            words = ngettext(
                "items in it for %(days)s day or longer",
                "items in it for %(days)s days or longer",
                days,
            ) % {"days": count(days)}
            return self.begin_job(
                request,
                address,
                "purge",
                words,
                {"older_than": timedelta(days=days).total_seconds()},
                log=_("Emptied the trash: %(words)s.") % {"words": words},
            )
        said = [
            ngettext(
                "Items in the trash for %(days)s day or longer are deleted for good.",
                "Items in the trash for %(days)s days or longer are deleted for good.",
                days,
            )
            % {"days": count(days)},
            _("Files that are referred to again are restored instead."),
        ]
        context: dict[str, Any] = {
            "title": _("Empty the trash"),
            "submit": _("Delete for good"),
            "is_grave": True,
            "said": said,
            "typed": typed,
            "hidden": [("days", str(days))],
        }
        if request.method == "POST":
            context["wrong"] = [_("That is not the name of the bucket; nothing was done.")]
        return self._confirmation(request, address, context)

    def _confirmation(
        self, request: HttpRequest, address: BucketAddress, context: dict[str, Any]
    ) -> HttpResponse:
        return self.bucket_page(
            request,
            address,
            "confirm.html",
            {
                "name": address.shown,
                "bucket_name": address.shown,
                "back": self.page_of(address, "collector"),
                **context,
            },
            status=400 if context.get("wrong") else 200,
        )

    def _wanted(self, request: HttpRequest) -> CollectorOptions | None:
        """The chosen options; None, with a message, for an invalid age."""
        asked = request.POST if request.method == "POST" else request.GET
        try:
            return CollectorOptions.of(asked.dict(), asked.getlist("only"))
        except ValueError:
            said = _(
                "Invalid age '%(age)s'; write a number and s, m, h, d or w for seconds to weeks, "
                "such as 48h, of at most %(days)s days."
            )
            values = {
                "age": printable(asked.get("older", "").strip()[:100]),
                "days": count(LONGEST_AGE.days),
            }
            self.message_user(request, said % values, messages.ERROR)
            return None

    def _collector_context(self, address: BucketAddress, found: Bin) -> dict[str, Any]:
        jobs = [job_context(job) for job in found.jobs]
        return {
            "run": jobs[0] if jobs else None,
            "jobs": jobs,
            "progress_url": self.page_of(address, "job"),
            "stop_url": self.page_of(address, "job_stop"),
            "dry_url": self.page_of(address, "dry_run"),
            "collect_url": self.page_of(address, "collect"),
            "empty_url": self.page_of(address, "empty_trash"),
            "kinds": [
                {"value": kind, "name": kind_name(kind), "words": kind_words(kind)}
                for kind in KINDS
            ],
            "grace": written_age(settings.storage.grace),
            "trash_days": settings.storage.trash_days,
            "survey": self._survey(address, found.survey) if found.survey else None,
            "trash": _trash(found.trash),
            "trash_url": self.page_of(address, state="trash"),
            "runs": [_run(run) for run in found.runs],
        }

    def _survey(self, address: BucketAddress, survey: DryRun) -> dict[str, Any]:
        again = {"older": written_age(survey.older_than)}
        if survey.verified:
            again["verify"] = "1"
        return {
            "when": moment_text(survey.finished),
            "by": printable(survey.by),
            "looked": f"{files_text(survey.files)}, {chunks_text(survey.chunks)}",
            "older": age_text(survey.older_than),
            "verified": survey.verified,
            "is_clean": survey.is_clean,
            "young": count(survey.young) if survey.young else "",
            "notes": [printable(note) for note in survey.notes],
            "collect_url": f"{self.page_of(address, 'collect')}?{urlencode(again)}",
            "rows": [
                {
                    "name": kind_name(share.kind),
                    "words": kind_words(share.kind),
                    "count": count(share.count),
                    "size": size(share.bytes),
                    "kept": count(share.kept) if share.kept else "",
                    "is_found": bool(share.count or share.kept),
                    "list_url": self.page_of(address, state=share.kind)
                    if share.kind in FOUND and (share.count or share.kept)
                    else None,
                    "collect_url": f"{self.page_of(address, 'collect')}?"
                    f"{urlencode({**again, 'only': share.kind})}"
                    if share.count
                    else None,
                }
                for share in survey.shares
            ],
        }


def _read(database: Mongo, bucket: str) -> Bin:
    return Bin(
        jobs=BucketJobs(database, bucket).read(),
        survey=last_survey(database, bucket),
        runs=list_runs(database, bucket, limit=RUNS),
        trash=count_trash(database, bucket),
    )


def _trash(found: TrashSummary) -> dict[str, Any]:
    return {
        "entries": found.entries,
        "text": trash_text(found.entries),
        "size": size(found.bytes),
        "oldest": moment_text(found.oldest) if found.oldest else "",
    }


def _run(run: CollectorRun) -> dict[str, Any]:
    found = [
        f"{kind_name(kind)}: {count(number)} ({size(run.bytes.get(kind, 0))})"
        for kind, number in run.counts.items()
        if number
    ]
    return {
        "started": moment_text(run.started),
        "status": {
            "running": _("running"),
            "done": _("done"),
            "failed": _("failed"),
            "interrupted": _("interrupted"),
        }.get(run.status, run.status),
        "is_done": run.status == "done",
        "looked": f"{files_text(run.files)}, {chunks_text(run.chunks)}",
        "found": found or [_("nothing")],
        "by": printable(run.by),
        "error": printable(run.error or ""),
        "fate": _("deleted for good") if run.deleted else _("into the trash"),
    }


def _days(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 6:
        return int(text)
    return settings.storage.trash_days
