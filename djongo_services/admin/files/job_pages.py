"""Starting jobs, and their progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.address import BucketAddress, logged
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.rows import moment_text
from djongo_services.admin.files.works import work_of
from djongo_services.admin.jobs.bucket_jobs import BucketJobs, Job, RunningJob, What, do, room
from djongo_services.admin.jobs.handing import hand_over, has_queue
from djongo_services.admin.jobs.slot import WAITING
from djongo_services.connections import connections
from djongo_services.formatting import count, printable


class JobPages(FilePages):
    def page_urls(self) -> list[URLPattern]:
        stop = require_POST(self.stop_job)
        return [
            self.page_url("<path:object_id>/job/", self.job_progress, "job"),
            self.page_url("<path:object_id>/job/stop/", stop, "job_stop"),
            *super().page_urls(),
        ]

    def begin_job(
        self,
        request: HttpRequest,
        address: BucketAddress,
        what: What,
        words: str,
        arguments: Mapping[str, Any],
        *,
        log: str | None = None,
        back: str | None = None,
    ) -> HttpResponse:
        """Start a job, wait a moment, and redirect to the page with its progress.

        ``arguments`` are in the form that :func:`~djongo_services.admin.files.works.work_of` reads.
        If it has ended by then, the result is shown on the page ``back``, if there is one.
        """
        running, trouble = self._begin(request, address, what, words, arguments)
        if trouble is not None:
            self.message_user(request, trouble, messages.ERROR)
            return HttpResponseRedirect(back or self.page_of(address, "collector"))
        if log is not None:
            self.log_change(request, logged(address, address.shown), log)
        if back is None or running is None or not running.ended.is_set():
            return HttpResponseRedirect(self.page_of(address, "collector"))
        level = messages.SUCCESS if running.status == "done" else messages.ERROR
        self.message_user(request, running.said, level)
        return HttpResponseRedirect(back)

    def job_progress(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The state of the latest job, for the page's script."""
        self.require(request, "view")
        address = self.bucket_address(object_id)
        asked = self.deadline(request, connections[address.alias]).ask(
            lambda database: BucketJobs(database, address.bucket).read()
        )
        if asked.value is None:
            return JsonResponse({"trouble": asked.trouble}, status=503)
        return JsonResponse({"run": job_context(asked.value[0]) if asked.value else None})

    def stop_job(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.bucket_address(object_id)
        asked = self.deadline(request, connections[address.alias]).ask(
            lambda database: BucketJobs(database, address.bucket).slot.ask_to_stop()
        )
        if asked.trouble is not None:
            self.message_user(request, asked.trouble, messages.ERROR)
        elif asked.value:
            self.log_change(request, logged(address, address.shown), _("Stopped the job."))
            self.message_user(request, _("The job will stop soon; completed work is kept."))
        return HttpResponseRedirect(self.page_of(address, "collector"))

    def _begin(
        self,
        request: HttpRequest,
        address: BucketAddress,
        what: What,
        words: str,
        arguments: Mapping[str, Any],
    ) -> tuple[RunningJob | None, str | None]:
        """The job, if it runs in this process, and otherwise an error as a sentence."""
        waits = has_queue()
        if not waits and not room.reserve():
            return None, _(
                "This process is already running several jobs; try again when one has finished."
            )
        connection, by = connections[address.alias], request.user.get_username()

        def begin(database: Mongo) -> ObjectId | None:
            jobs = BucketJobs(database, address.bucket)
            return jobs.begin(what, words=words, by=by, arguments=arguments, waits=waits)

        asked = self.deadline(request, connection).ask(begin)
        run: ObjectId | None = asked.value
        if run is None:
            if not waits:
                room.release()
            return None, asked.trouble or _("A job is already running on this bucket.")
        if waits:
            return None, self._hand_over(address, run)
        work = work_of(
            what, arguments, connection=connection, bucket=address.bucket, run=run, by=by
        )
        running = RunningJob(connection=connection, bucket=address.bucket, run=run, work=work)
        do(running)
        return running, None

    def _hand_over(self, address: BucketAddress, run: ObjectId) -> str | None:
        def give_up(text: str) -> None:
            database = connections[address.alias].database
            BucketJobs(database, address.bucket).end(run, "failed", text)

        return hand_over("files", address.alias, address.bucket, run, give_up=give_up)


def job_context(job: Job) -> dict[str, Any]:
    """Plain values, because the page's script reads them too."""
    figures = ""
    if job.total:
        figures = _("%(done)s of %(total)s") % {
            "done": count(job.done),
            "total": count(job.total),
        }
    elif job.done:
        figures = count(job.done)
    return {
        "what": _what(job.what),
        "words": printable(job.words),
        "by": printable(job.by),
        "status": job.status,
        "status_words": _status(job),
        "is_running": job.status == "running",
        "is_stopping": job.is_stopping,
        "is_bad": job.status in ("failed", "lost"),
        "started": moment_text(job.started),
        "phase": _phase(job.phase),
        "figures": figures,
        "done": min(job.done, job.total) if job.total else None,
        "total": job.total,
        "said": printable(job.said),
    }


def _what(what: str) -> str:
    return {
        "dry-run": _("Dry run"),
        "collect": _("Collecting"),
        "purge": _("Emptying the trash"),
        "delete": _("Deleting"),
        "restore": _("Restoring"),
    }.get(what, what)


def _status(job: Job) -> str:
    return {
        "running": _("running"),
        "done": _("done"),
        "stopped": _("stopped"),
        "failed": _("failed"),
        "lost": _("its process has ended"),
    }[job.status]


def _phase(phase: str) -> str:
    return {
        "": _("starting"),
        WAITING: _("waiting in the queue"),
        "names": _("checking names"),
        "files and chunks": _("checking files and chunks"),
        "trash": _("checking the trash"),
        "files": _("checking files"),
    }.get(phase, printable(phase))
