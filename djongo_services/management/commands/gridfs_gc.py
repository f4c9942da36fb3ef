"""``manage.py gridfs_gc``: collect garbage in GridFS buckets."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.formatting import value_text
from djongo_services.lease import Locked
from djongo_services.management.base import ExitCode, ServiceCommand
from djongo_services.management.collecting import (
    add_buckets_argument,
    add_collecting_arguments,
    read_options,
)
from djongo_services.management.interruption import stop_on_interrupt
from djongo_services.progress import Stop
from djongo_services.storage.collector import (
    CollectorInterrupted,
    CollectorReport,
    PurgeReport,
    References,
    TrashEntry,
    buckets_for,
    collect,
    find_in_trash,
    list_runs,
    purge,
    references_for,
    restore,
)
from djongo_services.storage.collector.rendering import (
    purges_json,
    render_purge,
    render_restored,
    render_text,
    reports_json,
    restored_json,
)
from djongo_services.translation import all_of


class Command(ServiceCommand):
    help = gettext_noop(
        "Collect garbage in GridFS buckets: orphan chunks, broken and unreferenced files, "
        "superseded revisions and stale uploads go to the trash. Exit code 1: --check found "
        "something; 3: another run is in progress."
    )
    formats = ("text", "json")

    def add_arguments(self, parser: CommandParser) -> None:
        add_buckets_argument(parser)
        super().add_arguments(parser)
        add_collecting_arguments(parser)

    def handle(self, *, buckets: Sequence[str], database: str, **options: Any) -> None:
        read_options(options)
        self.check_output(options["output"])
        connection = self.connect(database, verbosity=options["verbosity"])
        with self._describing(connection, options), stop_on_interrupt() as stop:
            names = buckets_for(connection, buckets)
            if options["restore"]:
                self._restore(connection, names, options)
            elif options["purge"]:
                self._purge(connection, names, options, stop)
            else:
                self._collect(connection, names, options, stop)

    def _collect(
        self, connection: Connection, names: Sequence[str], options: dict[str, Any], stop: Stop
    ) -> None:
        looks = options["dry_run"] or options["check"]
        if (
            not looks
            and not options["noinput"]
            and not self._may_collect(connection, names, options, stop)
        ):
            return
        reports: list[CollectorReport] = []
        try:
            for name in names:
                reports.append(self._run(connection, name, options, stop, dry_run=looks))
        finally:
            if reports or not names:
                self._show(connection, reports, options)
        if options["check"] and not all(report.is_clean for report in reports):
            sys.exit(ExitCode.DIFFERS)

    def _may_collect(
        self, connection: Connection, names: Sequence[str], options: dict[str, Any], stop: Stop
    ) -> bool:
        """Look first, and ask. Where there is nothing to collect, the look is the result."""
        self._check_somebody_there()
        if options["resume"]:
            self.ask(_("The interrupted run is resumed without a preview."))
            return True
        found = [self._run(connection, name, options, stop, dry_run=True) for name in names]
        if not any(report.count for report in found):
            self._show(connection, found, options)
            return False
        self.ask("\n".join(map(render_text, found)).rstrip())
        return True

    def _run(
        self,
        connection: Connection,
        bucket: str,
        options: dict[str, Any],
        stop: Stop,
        *,
        dry_run: bool,
    ) -> CollectorReport:
        references = self._references(connection, bucket, options)
        if options["resume"]:
            self._tell_resumed(connection, bucket)
        with self.progress(options) as progress:
            return collect(
                connection.database,
                bucket,
                references=references,
                older_than=_given(options["older_than"], settings.storage.grace),
                only=options["only"],
                verify=options["verify"],
                dry_run=dry_run,
                keep_in_trash=not options["no_trash"],
                resume=options["resume"],
                batch_size=options["batch_size"],
                progress=progress,
                stop=stop,
            )

    def _references(
        self, connection: Connection, bucket: str, options: dict[str, Any]
    ) -> References:
        return references_for(
            connection, bucket, ignore=options["ignore_model"], exclude=options["exclude"]
        )

    def _tell_resumed(self, connection: Connection, bucket: str) -> None:
        latest = list_runs(connection.database, bucket, limit=1)
        if latest and latest[0].status != "done":
            run = {"run": latest[0].id, "began": f"{latest[0].started:%Y-%m-%d %H:%M}"}
            text = _("%(bucket)s: resuming run %(run)s of %(began)s UTC.")
            self.notice(text % {"bucket": bucket, **run})
        else:
            text = _("%(bucket)s: no interrupted run; starting a new one.")
            self.notice(text % {"bucket": bucket})

    def _purge(
        self, connection: Connection, names: Sequence[str], options: dict[str, Any], stop: Stop
    ) -> None:
        looks = options["dry_run"] or options["check"]
        if not looks and not options["noinput"]:
            self._check_somebody_there()
            found = [self._empty(connection, name, options, stop, dry_run=True) for name in names]
            if any(report.entries for report in found):
                self.ask("\n".join(map(render_purge, found)).rstrip())
        reports = [self._empty(connection, name, options, stop, dry_run=looks) for name in names]
        if options["format"] == "json":
            self._deliver(purges_json(reports), options)
        else:
            color, width = self.wants_color(options), self.width(options)
            texts = [render_purge(report, color=color, width=width) for report in reports]
            self._deliver("\n".join(texts) or _no_bucket(connection), options)
        if options["check"] and any(report.entries for report in reports):
            sys.exit(ExitCode.DIFFERS)

    def _empty(
        self,
        connection: Connection,
        bucket: str,
        options: dict[str, Any],
        stop: Stop,
        *,
        dry_run: bool,
    ) -> PurgeReport:
        days = timedelta(days=settings.storage.trash_days)
        with self.progress(options) as progress:
            return purge(
                connection.database,
                bucket,
                references=self._references(connection, bucket, options),
                older_than=_given(options["older_than"], days),
                dry_run=dry_run,
                progress=progress,
                stop=stop,
            )

    def _restore(
        self, connection: Connection, names: Sequence[str], options: dict[str, Any]
    ) -> None:
        """All ids are looked up before anything is restored."""
        wanted: dict[str, list[Any]] = {}
        for text in options["restore"]:
            bucket, id = _meant(connection, names, text)
            wanted.setdefault(bucket, []).append(id)
        restored: list[tuple[str, TrashEntry]] = []
        for bucket, ids in wanted.items():
            entries = restore(connection.database, bucket, ids=ids)
            restored += [(bucket, entry) for entry in entries]
        if options["format"] == "json":
            self._deliver(restored_json(restored), options)
        else:
            self._deliver(render_restored(restored), options)

    def _show(
        self, connection: Connection, reports: Sequence[CollectorReport], options: dict[str, Any]
    ) -> None:
        if options["format"] == "json":
            self._deliver(reports_json(reports), options)
            return
        color, width = self.wants_color(options), self.width(options)
        texts = [render_text(report, color=color, width=width) for report in reports]
        self._deliver("\n".join(texts) or _no_bucket(connection), options)

    def _deliver(self, text: str, options: dict[str, Any]) -> None:
        self.deliver(
            text,
            output=options["output"],
            machine=options["format"] == "json",
            verbosity=options["verbosity"],
        )

    def _check_somebody_there(self) -> None:
        if not sys.stdin.isatty():
            text = _(
                "Not running in a terminal; pass --noinput to confirm, or --dry-run to report only."
            )
            raise _trouble(text)

    @contextmanager
    def _describing(self, connection: Connection, options: dict[str, Any]) -> Iterator[None]:
        with self.describing_errors(connection):
            try:
                yield
            except Locked as error:
                raise CommandError(str(error), returncode=ExitCode.LOCKED) from error
            except CollectorInterrupted as error:
                raise CommandError(
                    _interrupted(options), returncode=ExitCode.INTERRUPTED
                ) from error


def _given(value: timedelta | None, default: timedelta) -> timedelta:
    return default if value is None else value


def _meant(connection: Connection, names: Sequence[str], text: str) -> tuple[str, Any]:
    """The bucket and the id of what somebody wants restored."""
    found = [(name, id) for name in names for id in find_in_trash(connection.database, name, text)]
    if not found:
        where = ", ".join(names) or connection.database_name
        said = _("There is no %(text)r in the trash of %(where)s; nothing was restored.")
        raise _trouble(said % {"text": text, "where": where})
    if len(found) > 1:
        entry = _("%(id)s in %(bucket)s")
        both = [entry % {"id": value_text(id), "bucket": name} for name, id in found]
        said = _("%(text)r means %(meanings)s; name the bucket, and the id as Extended JSON.")
        raise _trouble(said % {"text": text, "meanings": all_of(both)})
    return found[0]


def _no_bucket(connection: Connection) -> str:
    text = _("There is no bucket in the database %(database)r.")
    return text % {"database": connection.database_name}


def _interrupted(options: dict[str, Any]) -> str:
    if options["dry_run"] or options["check"]:
        return _("Interrupted; nothing was changed.")
    if options["purge"]:
        return _("Interrupted: what was deleted is gone; run the command again to continue.")
    return _("Interrupted: completed work is kept; run gridfs_gc --resume to continue.")


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
