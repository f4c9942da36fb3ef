"""``manage.py inspectmongo``: what a MongoDB database is, in the format asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from djongo_services.conf import SETTING, settings
from djongo_services.connections import Connection
from djongo_services.drift.comparison import Comparison
from djongo_services.drift.formats import COMPARISON_FORMATS
from djongo_services.drift.signals import schema_drift_found
from djongo_services.formatting import printable
from djongo_services.introspection.formats import FORMATS, RenderOptions
from djongo_services.introspection.muting import Mute, parse_mutes
from djongo_services.introspection.report import Report
from djongo_services.management.base import ExitCode, ServiceCommand
from djongo_services.management.drift import (
    Comparing,
    add_comparing_arguments,
    refuse_incomplete,
)
from djongo_services.management.interruption import stop_on_interrupt

STYLES = ("backend", "plain")


class Command(ServiceCommand):
    help = gettext_noop(
        "Show what a MongoDB database is: collections, options, validators, indexes, and the shape "
        "of the documents. Nothing in the database is changed. Ctrl-C once ends with a partial "
        "result (exit code 130), twice at once."
    )
    interrupted = False
    """Whether somebody pressed Ctrl-C while the database was read."""
    formats = tuple(dict.fromkeys([*FORMATS, *COMPARISON_FORMATS]))

    def add_arguments(self, parser: CommandParser) -> None:
        names = parser.add_argument("collections", nargs="*", metavar="COLLECTION")
        names.help = _("Collections and views to inspect (default: all but the system's).")
        super().add_arguments(parser)
        parser.add_argument(
            "--depth",
            choices=("sample", "complete", "exact"),
            default="sample",
            help=_(
                "sample: a random sample. complete: the server proves that no document has "
                "another type. exact: every count exact, too (default: %(default)s)."
            ),
        )
        parser.add_argument(
            "--sample",
            type=int,
            default=1000,
            metavar="N",
            help=_("Documents of each collection to start from (default: %(default)s)."),
        )
        parser.add_argument(
            "--values",
            action="store_true",
            help=_(
                "Read values too, and show them: ranges, lengths, formats, all of few values. "
                "--format models derives choices and lengths from them."
            ),
        )
        parser.add_argument(
            "--show-secrets",
            action="store_true",
            help=_(
                "With --values: show the values of passwords, keys, tokens, sessions and of "
                "fields that look like them."
            ),
        )
        parser.add_argument(
            "--mute",
            action="append",
            default=[],
            metavar="WHAT",
            help=_(
                "Count these warnings without showing them: a code (number-as-string), a path or "
                "pattern ('*id_str', 'tweets.*') or both (number-as-string:tweets.*); may be "
                "repeated, and adds to the setting INSPECTION['MUTE']."
            ),
        )
        parser.add_argument(
            "--exclude",
            action="append",
            default=[],
            metavar="GLOB",
            help=_(
                "Leave out the collections whose names match, such as 'tmp_*'; may be repeated."
            ),
        )
        parser.add_argument(
            "--style",
            choices=STYLES,
            help=_(
                "With --format models: fields of django-mongodb-backend, or plain Django fields "
                "(default: backend where the connection shares a DATABASES alias, else plain)."
            ),
        )
        add_comparing_arguments(parser)

    def handle(
        self,
        *,
        collections: Sequence[str],
        database: str,
        format: str,
        output: Path | None,
        verbosity: int,
        **options: Any,
    ) -> None:
        _check_options(format, options)
        comparing = Comparing.of(format, collections, options)
        mute = _mutes(options["mute"])
        self.check_output(output)
        options |= {"format": format, "output": output, "verbosity": verbosity, "mute": mute}
        connection = self.connect(database, verbosity=verbosity)
        if comparing is None:
            report = self._inspected(connection, list(collections) or None, options)
            self._show(report, self._options(connection, collections, options), options)
            self._refuse_partial(report)
        else:
            self._compare(comparing, connection, collections, options)

    def _show(self, report: Report, wanted: RenderOptions, options: dict[str, Any]) -> None:
        format = FORMATS[options["format"]]
        text = format.render(report, wanted)
        if not format.says_unreadable and options["verbosity"]:
            self._tell_unreadable(report)
        self._deliver(text, options)

    def _deliver(self, text: str, options: dict[str, Any]) -> None:
        self.deliver(
            text,
            output=options["output"],
            machine=options["format"] != "report",
            verbosity=options["verbosity"],
        )

    def _compare(
        self,
        comparing: Comparing,
        connection: Connection,
        collections: Sequence[str],
        options: dict[str, Any],
    ) -> None:
        other = self._other(comparing, connection, options["verbosity"])
        with self.describing_errors(connection):
            there, here = comparing.names(connection, other, collections)
        before = comparing.baseline
        if other is not None:
            before = self._inspected(other, there, options)
            self._refuse_partial(before)
        report = self._inspected(connection, here, options)
        with self.describing_errors(connection):
            comparison = comparing.compare(connection, report, before, other)
        wanted = self._options(connection, collections, options)
        self._deliver(COMPARISON_FORMATS[options["format"]].render(comparison, wanted), options)
        if options["verbosity"] and (unused := comparing.unused_words(comparison)):
            self.notice(unused)
        self._refuse_partial(report)
        if comparison.has_drift:
            schema_drift_found.send(Comparison, using=connection.alias, comparison=comparison)
        if comparing.check and comparison.reaching(comparing.fail_on):
            sys.exit(ExitCode.DIFFERS)
        if comparing.check:
            refuse_incomplete(comparison)

    def _other(
        self, comparing: Comparing, connection: Connection, verbosity: int
    ) -> Connection | None:
        """The connection to hold this one against."""
        if comparing.against is None:
            return None
        if comparing.against == connection.alias:
            text = _("--against and --database name the same connection %(alias)r.")
            raise _trouble(text % {"alias": connection.alias})
        return self.connect(comparing.against, verbosity=verbosity)

    def _tell_unreadable(self, report: Report) -> None:
        for found in report.collections:
            for warning in found.warnings:
                if warning.code == "unreadable":
                    self.notice(printable(warning.message))

    def _inspected(
        self, connection: Connection, collections: Sequence[str] | None, options: dict[str, Any]
    ) -> Report:
        """``collections``: None for all."""
        from djongo_services.introspection import inspect_database
        from djongo_services.schema.declared import declared_on

        with stop_on_interrupt() as stop:
            try:
                with self.describing_errors(connection), self.progress(options) as progress:
                    report = inspect_database(
                        connection.database,
                        collections=collections,
                        exclude=tuple(options["exclude"]),
                        depth=options["depth"],
                        sample=options["sample"],
                        values=options["values"],
                        declared=declared_on(connection),
                        show_secrets=options["show_secrets"],
                        mute=options["mute"],
                        progress=progress,
                        stop=stop,
                    )
            except CommandError as error:
                if stop.is_set():  # before there was anything to show
                    error.returncode = ExitCode.INTERRUPTED
                raise
            self.interrupted = stop.is_set()
        return report

    def _refuse_partial(self, report: Report) -> None:
        """What was found is shown, and is trouble all the same: it is not what was asked for."""
        if report.stopped is not None:
            text = _("The result is partial: %(reason)s")
            raise CommandError(
                text % {"reason": printable(report.stopped)},
                returncode=ExitCode.INTERRUPTED if self.interrupted else ExitCode.TROUBLE,
            )

    def _options(
        self, connection: Connection, collections: Sequence[str], options: dict[str, Any]
    ) -> RenderOptions:
        style = options["style"] or _default_style(connection)
        return RenderOptions(
            width=self.width(options),
            color=self.wants_color(options),
            style="plain" if style == "plain" else "backend",
            single=len(collections) == 1,
        )


def _check_options(format: str, options: dict[str, Any]) -> None:
    if options["sample"] < 1:
        text = _("--sample must be a positive number of documents, not %(given)s.")
        raise _trouble(text % {"given": options["sample"]})
    if options["show_secrets"] and not options["values"]:
        raise _trouble(_("--show-secrets requires --values; without it no values are read."))
    if options["style"] is not None and format != "models":
        text = _("--style requires --format models; it cannot be combined with --format %(given)s.")
        raise _trouble(text % {"given": format})


def _mutes(asked: Sequence[str]) -> tuple[Mute, ...]:
    """Those of the settings and those asked for."""
    try:
        configured = parse_mutes(settings.inspection.mute)
    except ValueError as error:
        raise _trouble(f'{SETTING}["INSPECTION"]["MUTE"]: {error}') from None
    try:
        return (*configured, *parse_mutes(asked))
    except ValueError as error:
        raise _trouble(f"--mute: {error}") from None


def _default_style(connection: Connection) -> str:
    return STYLES[0] if connection.settings.database is not None else STYLES[1]


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
