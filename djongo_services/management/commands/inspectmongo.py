"""``manage.py inspectmongo``: what a MongoDB database is, in the format asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from djongo_services.connections import Connection
from djongo_services.introspection.progress import Stop
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.report import Report
from djongo_services.management.base import ExitCode, ServiceCommand
from djongo_services.management.interruption import stop_on_interrupt

STYLES = ("backend", "plain")
SILENT_FORMATS = frozenset({"models", "jsonschema", "mermaid"})
"""They have no place to say why a collection cannot be read; it is said on stderr."""


class Command(ServiceCommand):
    help = (
        "Show what a MongoDB database is: collections, options, validators, indexes, and the shape "
        "of the documents. Nothing in the database is changed. Ctrl-C once ends with a partial "
        "result (exit code 130), twice at once."
    )
    formats = ("report", "json", "models", "jsonschema", "mermaid", "html")

    def add_arguments(self, parser: CommandParser) -> None:
        names = parser.add_argument("collections", nargs="*", metavar="COLLECTION")
        names.help = "Collections and views to inspect (default: all but the system's)."
        super().add_arguments(parser)
        parser.add_argument(
            "--depth",
            choices=("sample", "complete", "exact"),
            default="sample",
            help="sample: a random sample. complete: the server proves that no document has "
            "another type. exact: every count exact, too (default: %(default)s).",
        )
        parser.add_argument(
            "--sample",
            type=int,
            default=1000,
            metavar="N",
            help="Documents of each collection to start from (default: %(default)s).",
        )
        parser.add_argument(
            "--values",
            action="store_true",
            help="Look at values too, and show them: ranges, lengths, formats, all of few values. "
            "--format models tells choices and lengths by them.",
        )
        parser.add_argument(
            "--exclude",
            action="append",
            default=[],
            metavar="GLOB",
            help="Leave out the collections whose names match, such as 'tmp_*'; may be repeated.",
        )
        parser.add_argument(
            "--style",
            choices=STYLES,
            help="With --format models: fields of django-mongodb-backend, or plain Django fields "
            "(default: backend where the connection shares a DATABASES alias, else plain).",
        )

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
        self.check_output(output)
        connection = self.connect(database, verbosity=verbosity)
        with stop_on_interrupt() as stop:
            options["verbosity"] = verbosity
            report = self._inspect(connection, collections, stop, options)
            stopped_by_user = stop.is_set()
        if format == "report":
            text = self._text(report, {**options, "output": output})
        else:
            style = options["style"] or _default_style(connection)
            text = _render(report, format, style=style, single=len(collections) == 1)
        if format in SILENT_FORMATS and verbosity:
            self._tell_unreadable(report)
        is_machine = format != "report"
        self.deliver(text, output=output, machine=is_machine, verbosity=verbosity)
        if report.stopped is not None:
            # What was found is shown, and is trouble all the same: it is not what was asked for.
            raise CommandError(
                f"The result is partial: {printable(report.stopped)}",
                returncode=ExitCode.INTERRUPTED if stopped_by_user else ExitCode.TROUBLE,
            )

    def _tell_unreadable(self, report: Report) -> None:
        for found in report.collections:
            for warning in found.warnings:
                if warning.code == "unreadable":
                    self.notice(printable(warning.message))

    def _inspect(
        self,
        connection: Connection,
        collections: Sequence[str],
        stop: Stop,
        options: dict[str, Any],
    ) -> Report:
        from djongo_services.introspection import inspect_database

        try:
            with self.describing_errors(connection), self.progress(options) as progress:
                return inspect_database(
                    connection.database,
                    collections=list(collections) or None,
                    exclude=tuple(options["exclude"]),
                    depth=options["depth"],
                    sample=options["sample"],
                    values=options["values"],
                    progress=progress,
                    stop=stop,
                )
        except CommandError as error:
            if stop.is_set():  # before there was anything to show
                error.returncode = ExitCode.INTERRUPTED
            raise

    def _text(self, report: Report, options: dict[str, Any]) -> str:
        from djongo_services.introspection.rendering.text import render_text

        return render_text(report, width=self.width(options), color=self.wants_color(options))


def _render(report: Report, format: str, *, style: str, single: bool) -> str:
    """Each renderer is imported by those who use it: the page needs templates, the models names."""
    match format:
        case "json":
            from djongo_services.introspection.rendering.json import render_json

            return render_json(report)
        case "models":
            from djongo_services.introspection.modelling import render_models

            return render_models(report, style="plain" if style == "plain" else "backend")
        case "jsonschema":
            from djongo_services.introspection.rendering.jsonschema import render_json_schema

            return render_json_schema(report, single=single)
        case "mermaid":
            from djongo_services.introspection.rendering.mermaid import render_mermaid

            return render_mermaid(report)
        case _:
            from djongo_services.introspection.rendering.html import render_html

            return render_html(report)


def _check_options(format: str, options: dict[str, Any]) -> None:
    if options["sample"] < 1:
        raise CommandError(
            f"--sample is a number of documents above 0, not {options['sample']}.",
            returncode=ExitCode.TROUBLE,
        )
    if options["style"] is not None and format != "models":
        raise CommandError(
            f"--style belongs to --format models; --format {format} has no styles.",
            returncode=ExitCode.TROUBLE,
        )


def _default_style(connection: Connection) -> str:
    return STYLES[0] if connection.settings.database is not None else STYLES[1]
