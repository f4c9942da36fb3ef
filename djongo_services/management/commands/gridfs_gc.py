"""``manage.py gridfs_gc``: collect garbage in GridFS buckets."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser

from djongo_services.conf import settings
from djongo_services.connections import Connection
from djongo_services.formatting import parse_age, value_text
from djongo_services.lease import Locked
from djongo_services.management.base import ExitCode, ServiceCommand
from djongo_services.management.interruption import stop_on_interrupt
from djongo_services.progress import Stop
from djongo_services.storage.collector import (
    BATCH_SIZE,
    CollectorInterrupted,
    CollectorReport,
    Kind,
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


class Command(ServiceCommand):
    help = (
        "Collect garbage in GridFS buckets: orphan chunks, broken and unreferenced files, "
        "superseded revisions and stale uploads go to the trash. Exit code 1: --check found "
        "something; 3: another run is in progress."
    )
    formats = ("text", "json")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "buckets",
            nargs="*",
            metavar="BUCKET",
            help="Only these (default: those of the project's storages; without any, all that "
            "the database has).",
        )
        super().add_arguments(parser)
        parser.add_argument(
            "--older-than",
            type=_age,
            metavar="AGE",
            help='Skip what is younger, such as 48h or 7d (default: STORAGE["GRACE"], 48h); '
            'with --purge: how long in the trash (default: STORAGE["TRASH_DAYS"], 30 days).',
        )
        parser.add_argument(
            "--only",
            action="append",
            type=Kind,
            choices=list(Kind),
            metavar="KIND",
            help=f"Only this kind, one of {', '.join(Kind)}; may be repeated.",
        )
        parser.add_argument(
            "--verify",
            action="store_true",
            help="Read every byte, and compare sizes and checksums too.",
        )
        parser.add_argument(
            "--ignore-model",
            action="append",
            default=[],
            metavar="APP.MODEL",
            help="Skip this model, whose table cannot be read; files that only it refers "
            "to are collected. May be repeated.",
        )
        parser.add_argument(
            "--exclude",
            action="append",
            default=[],
            metavar="GLOB",
            help="Skip files whose names match, such as 'thumbnails/*', in addition to those of "
            'STORAGE["EXCLUDE"]. May be repeated.',
        )
        parser.add_argument(
            "--batch-size",
            type=int,
            default=BATCH_SIZE,
            metavar="N",
            help="Files and names that are looked up at once (default: %(default)s).",
        )
        parser.add_argument(
            "--no-trash",
            action="store_true",
            help="Delete for good instead of keeping in the trash.",
        )
        self._add_modes(parser)

    def _add_modes(self, parser: CommandParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--restore",
            nargs="+",
            metavar="ID",
            help="Restore these from the trash: ids as they are shown, or filenames.",
        )
        mode.add_argument(
            "--purge",
            action="store_true",
            help="Delete for good what has been in the trash long enough.",
        )
        mode.add_argument(
            "--resume",
            action="store_true",
            help="Resume an interrupted run, with its options.",
        )
        change = parser.add_mutually_exclusive_group()
        change.add_argument(
            "--dry-run", action="store_true", help="Report what would be done, and change nothing."
        )
        change.add_argument(
            "--check",
            action="store_true",
            help="Like --dry-run; exit code 1 where there is something to collect or broken.",
        )
        change.add_argument("--noinput", action="store_true", help="Do not prompt before removing.")

    def handle(self, *, buckets: Sequence[str], database: str, **options: Any) -> None:
        if isinstance(options["older_than"], str):  # As call_command() may pass it.
            options["older_than"] = _called_age(options["older_than"])
        options["only"] = _called_kinds(options["only"] or ())
        _check_options(options)
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
            self.ask("The interrupted run is resumed without a preview.")
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
            began = f"{latest[0].started:%Y-%m-%d %H:%M}"
            self.notice(f"{bucket}: resuming run {latest[0].id} of {began} UTC.")
        else:
            self.notice(f"{bucket}: no interrupted run; starting a new one.")

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
            raise _trouble(
                "Not running in a terminal; pass --noinput to confirm, or --dry-run to report only."
            )

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


def _age(text: str) -> timedelta:
    try:
        return parse_age(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _called_age(text: str) -> timedelta:
    try:
        return parse_age(text)
    except ValueError as error:
        raise _trouble(f"older_than: {error}.") from None


def _called_kinds(names: Sequence[str]) -> list[Kind]:
    if unknown := [name for name in names if name not in list(Kind)]:
        raise _trouble(f"only: no kind {unknown[0]!r}; choose from {', '.join(Kind)}.")
    return [Kind(name) for name in names]


def _given(value: timedelta | None, default: timedelta) -> timedelta:
    return default if value is None else value


def _check_options(options: dict[str, Any]) -> None:
    if options["batch_size"] < 1:
        raise _trouble(f"--batch-size must be positive, not {options['batch_size']}.")
    looks = options["dry_run"] or options["check"]
    if options["resume"] and looks:
        raise _trouble("--resume cannot be combined with --dry-run or --check; it removes.")
    if options["restore"] and looks:
        raise _trouble("--restore cannot be combined with --dry-run or --check; it never prompts.")
    collecting = {"only": "--only", "verify": "--verify", "no_trash": "--no-trash"}
    given = [name for key, name in collecting.items() if options[key]]
    for mode in ("restore", "purge", "resume"):
        if options[mode] and given:
            raise _trouble(f"{given[0]} cannot be combined with --{mode}.")


def _meant(connection: Connection, names: Sequence[str], text: str) -> tuple[str, Any]:
    """The bucket and the id of what somebody wants restored."""
    found = [(name, id) for name in names for id in find_in_trash(connection.database, name, text)]
    if not found:
        where = f"of {', '.join(names)}" if names else f"of {connection.database_name}"
        raise _trouble(f"There is no {text!r} in the trash {where}; nothing was restored.")
    if len(found) > 1:
        both = " and ".join(f"{value_text(id)} in {name}" for name, id in found)
        raise _trouble(f"{text!r} means {both}; name the bucket, and the id as Extended JSON.")
    return found[0]


def _no_bucket(connection: Connection) -> str:
    return f"There is no bucket in the database {connection.database_name!r}."


def _interrupted(options: dict[str, Any]) -> str:
    if options["dry_run"] or options["check"]:
        return "Interrupted; nothing was changed."
    if options["purge"]:
        return "Interrupted: what was deleted is gone; run the command again to continue."
    return "Interrupted: completed work is kept; run gridfs_gc --resume to continue."


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
