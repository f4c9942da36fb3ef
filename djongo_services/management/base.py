"""What all our commands share: the connection, where output goes, errors and exit codes."""

from __future__ import annotations

import enum
import errno
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils.connection import ConnectionDoesNotExist
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from pymongo.errors import PyMongoError

from djongo_services.connections import DEFAULT_ALIAS, Connection, connections
from djongo_services.error_messages import (
    address_of,
    describe_error,
    unknown_connection,
    without_secrets,
    wrong_settings,
)
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import count, printable
from djongo_services.management.interruption import INTERRUPTED, plain_interrupts
from djongo_services.management.output_file import check_writable, write_aside
from djongo_services.management.progress_line import progress_line
from djongo_services.progress import ProgressHook

PIPED_WIDTH = 100
"""Columns of a report that goes to a file or a pipe."""


class ExitCode(enum.IntEnum):
    FINE = 0
    DIFFERS = 1
    """With ``--check`` alone, by ``sys.exit``; a CommandError never has it."""
    TROUBLE = 2
    LOCKED = 3
    INTERRUPTED = INTERRUPTED


class ServiceParser(CommandParser):
    """A wrong argument is one line and exit code 2, from a shell and from ``call_command``."""

    def error(self, message: str) -> NoReturn:
        if getattr(self, "called_from_command_line", None):
            text = _("%(message)s (see %(program)s --help)")
            said = text % {"message": message, "program": self.prog}
            self.exit(ExitCode.TROUBLE, f"CommandError: {said}\n")
        raise CommandError(message, returncode=ExitCode.TROUBLE)


class ServiceCommand(BaseCommand):
    """A command on one MongoDB connection.

    Subclasses have a ``help`` that ``gettext_noop`` marks, since Django wants it before a language
    is known. They name their ``formats`` (the first is the default), extend ``add_arguments`` and
    implement ``handle``: :meth:`connect` first, the work inside :meth:`describing_errors`, then
    :meth:`deliver`. Results alone go to stdout; notices, progress and prompts to stderr.
    """

    formats: ClassVar[Sequence[str]]
    requires_system_checks = []
    """None: whoever asks what a database is should not have to repair the project first, and what
    concerns the connection is said when it is used."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Django names its parser class in the middle of a method that also adds its options;
        # changing the class of the result keeps those Django's.
        parser.__class__ = ServiceParser
        if self.help:
            parser.description = _(self.help)
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database",
            metavar="ALIAS",
            default=DEFAULT_ALIAS,
            help=_("The MongoDB connection, an alias of the settings (default: %(default)s)."),
        )
        parser.add_argument(
            "--format",
            choices=self.formats,
            default=self.formats[0],
            help=_("What to write (default: %(default)s)."),
        )
        parser.add_argument(
            "--output",
            metavar="FILE",
            type=Path,
            help=_("Write to a file instead of stdout; it is replaced as a whole or not touched."),
        )

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:
            self.notice(_("Interrupted."))
            sys.exit(ExitCode.INTERRUPTED)
        finally:
            connections.close_all()

    def execute(self, *args: Any, **options: Any) -> str | None:
        if os.environ.get("NO_COLOR") and not options.get("force_color"):
            options["no_color"] = True
        if options.get("output"):
            options["output"] = Path(options["output"])
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            if error.returncode == ExitCode.DIFFERS:  # Django's default
                error.returncode = ExitCode.TROUBLE
            raise
        except (DjongoServicesError, ImproperlyConfigured) as error:
            raise _trouble(wrong_settings(error)) from error

    def connect(self, alias: str, *, verbosity: int = 1) -> Connection:
        """The connection of an alias, after its server has answered.

        Says beforehand where it connects and how long that may take. Raises CommandError when the
        alias is unknown, the server cannot be reached, or it refuses the credentials.
        """
        try:
            connection = connections[alias]
        except ConnectionDoesNotExist as error:
            raise CommandError(unknown_connection(error), returncode=ExitCode.TROUBLE) from None
        with self.describing_errors(connection):
            seconds = connection.client.options.server_selection_timeout
            if verbosity:
                text = _("Connecting to %(address)s, for at most %(seconds)s s.")
                where = {"address": address_of(connection), "seconds": f"{seconds:g}"}
                self.notice(text % where)
            connection.abilities  # noqa: B018  (the first operation, which connects)
        return connection

    @contextmanager
    def describing_errors(self, connection: Connection) -> Iterator[None]:
        """Turn what the driver, the services and the settings raise into one sentence."""
        try:
            yield
        except (DatabaseError, PyMongoError, ImproperlyConfigured) as error:
            raise _trouble(describe_error(error, connection)) from error
        except DjongoServicesError as error:
            raise _trouble(without_secrets(printable(str(error)), connection)) from error

    def check_output(self, output: Path | None) -> None:
        """Raise CommandError now if ``deliver`` could not write there later."""
        if output is not None:
            try:
                check_writable(output)
            except OSError as error:
                raise _trouble(_not_writable(output, error)) from error

    def deliver(self, text: str, *, output: Path | None, machine: bool, verbosity: int = 1) -> None:
        """Write the result to the file asked for, else to stdout.

        ``machine`` text is UTF-8 whatever the locale is. A reader who closes the pipe early
        (``| head``) is no error.
        """
        text = text if text.endswith("\n") else f"{text}\n"
        if output is None:
            self._write_stdout(text, machine=machine)
            return
        data = text.encode("utf-8", "backslashreplace")
        try:
            write_aside(output, data)
        except OSError as error:
            raise _trouble(_not_writable(output, error)) from error
        if verbosity:
            text = ngettext(
                "Wrote %(path)s (%(count)s byte).", "Wrote %(path)s (%(count)s bytes).", len(data)
            )
            self.notice(text % {"path": printable(str(output)), "count": count(len(data))})

    def notice(self, text: str) -> None:
        """A line for people, on stderr if there is one."""
        if self.stderr._out is not None:
            self.stderr.write(text, lambda unstyled: unstyled)

    def ask(self, about: str) -> None:
        """Go on only when somebody at a terminal says yes. Raises CommandError for anything else.

        Ctrl-C interrupts the command, and Ctrl-D is a no.
        """
        with plain_interrupts():
            self.notice(about)
            self.stderr.write(_("Continue? [y/N]") + " ", str, ending="")
            self.stderr.flush()
            answer = sys.stdin.readline()
        if answer.strip().lower() not in _yes():
            raise _trouble(_("Nothing was done."))

    def wants_color(self, options: dict[str, Any]) -> bool:
        """Whether the result may be coloured: asked for, or on a terminal and not refused."""
        if options.get("force_color"):
            return True
        if options.get("no_color") or options.get("output") is not None:
            return False
        return self.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def width(self, options: dict[str, Any]) -> int:
        """Columns for the result: the terminal's, or a fixed number elsewhere."""
        if options.get("output") is None and self.stdout.isatty():
            return shutil.get_terminal_size((PIPED_WIDTH, 24)).columns
        return PIPED_WIDTH

    @contextmanager
    def progress(self, options: dict[str, Any]) -> Iterator[ProgressHook | None]:
        """A hook that draws a line on stderr, or None where nobody would see it."""
        is_seen = self.stderr.isatty() and os.environ.get("TERM") != "dumb"
        if not is_seen or not options.get("verbosity", 1):
            yield None
            return
        with progress_line(sys.stderr, color=not options.get("no_color")) as hook:
            yield hook

    def _write_stdout(self, text: str, *, machine: bool) -> None:
        if self.stdout._out is None:  # closed by whoever started the process
            raise _trouble(_("There is no stdout to write to; give --output a file."))
        raw = getattr(self.stdout, "buffer", None)
        if raw is None:
            self.stdout.write(text)
            return
        encoding = None if machine else getattr(sys.stdout, "encoding", None)
        errors = "backslashreplace" if machine else "replace"
        try:
            self.stdout.flush()
            raw.write(text.encode(encoding or "utf-8", errors))
            raw.flush()
        except OSError as error:
            # The interpreter flushes stdout once more at its end; let that go nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                text = _("Cannot write to stdout: %(reason)s.")
                raise _trouble(text % {"reason": error.strerror}) from error


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)


def _not_writable(output: Path, error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        text = _("Cannot write %(path)r: %(reason)s; free some space.")
    else:
        text = _("Cannot write %(path)r: %(reason)s; give --output a file in a writable folder.")
    return text % {"path": str(output), "reason": error.strerror or str(error)}


def _yes() -> set[str]:
    """Answers that agree: those of the reader's language, and the English ones for scripts."""
    agrees = pgettext("answers that agree, in lower case, with commas in between", "y,yes")
    return {"y", "yes", *agrees.split(",")}
