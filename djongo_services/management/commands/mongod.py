"""``manage.py mongod``: the embedded server in the foreground."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from djongo_services.embedded import MongoServer
from djongo_services.exceptions import EmbeddedServerError
from djongo_services.management.base import ExitCode, ServiceParser

CHECK_SECONDS = 1.0


class Command(BaseCommand):
    help = gettext_noop(
        "Run a real MongoDB replica set on this machine, without root or containers, until Ctrl-C. "
        "Its connection URI is the first and only line on stdout."
    )
    requires_system_checks = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.__class__ = ServiceParser
        parser.description = _(self.help)
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--members",
            type=int,
            choices=(1, 3),
            default=1,
            help=_("Members of the replica set (default: %(default)s)."),
        )
        parser.add_argument(
            "--port",
            type=int,
            help=_("Port of the first member, the others follow (default: free ones)."),
        )
        parser.add_argument(
            "--path",
            metavar="DIR",
            help=_("Keep the data in this folder (default: a temporary one, removed at the end)."),
        )
        parser.add_argument(
            "--mongod-version",
            metavar="VERSION",
            help=_(
                "Such as 5.0 or 6.0.27 (default: the mongod on PATH, else the installed wheel's)."
            ),
        )

    def handle(self, *, mongod_version: str | None, **options: Any) -> None:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            server = MongoServer(
                options["members"],
                port=options["port"],
                path=options["path"],
                version=mongod_version,
            )
            with server:
                self._announce(server, options["path"], options["verbosity"])
                _watch(server)
        except KeyboardInterrupt:
            pass  # Ctrl-C and SIGTERM are how this ends well
        except EmbeddedServerError as error:
            raise CommandError(str(error), returncode=ExitCode.TROUBLE) from error
        finally:
            signal.signal(signal.SIGTERM, before)

    def _announce(self, server: MongoServer, path: str | None, verbosity: int) -> None:
        self.stdout.write(server.uri)
        self.stdout.flush()
        if verbosity:
            self.stderr.write(_announced(server, path), lambda unstyled: unstyled)


def _announced(server: MongoServer, path: str | None) -> str:
    count = len(server.members)
    if path:
        text = ngettext(
            "MongoDB %(version)s, %(count)s member, data in %(path)s. Press Ctrl-C to stop it.",
            "MongoDB %(version)s, %(count)s members, data in %(path)s. Press Ctrl-C to stop it.",
            count,
        )
    else:
        text = ngettext(
            "MongoDB %(version)s, %(count)s member, temporary data, removed at the end. "
            "Press Ctrl-C to stop it.",
            "MongoDB %(version)s, %(count)s members, temporary data, removed at the end. "
            "Press Ctrl-C to stop it.",
            count,
        )
    return text % {"version": server.version, "count": count, "path": path}


def _watch(server: MongoServer) -> None:
    """Until a signal comes; raises EmbeddedServerError when a member ends by itself."""
    never = threading.Event()
    while all(member.running for member in server.members):
        never.wait(CHECK_SECONDS)
    raise EmbeddedServerError(_("A member of the server has ended by itself; start it again."))
