"""The whole demo: a server, data, a superuser, every command on the data, and the site."""

from __future__ import annotations

import signal
import socket
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from demo_project.archive.seeding.sizes import SIZES
from demo_project.demo.data import PASSWORD, USER
from demo_project.demo.deployment import Deployment, kept_deployment, passing_deployment
from demo_project.demo.step import Outcome, Step, run_steps
from demo_project.demo.steps import BEFORE_SERVING, CHECK, possible
from djongo_services.exceptions import EmbeddedServerError


class Command(BaseCommand):
    help = (
        "Start a MongoDB server (or use MONGODB_URI), migrate, seed, inspect the data in every "
        "format, and serve the site on the loopback interface until Ctrl-C."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="visit the site's pages instead of serving it, on data that is gone afterwards; "
            "exit code 1 when a step failed",
        )
        parser.add_argument(
            "--port", type=int, default=8000, help="of the site; 0: a free one (default: 8000)"
        )
        parser.add_argument("--size", choices=list(SIZES), default="small", help="of the data")

    def handle(self, *, check: bool, port: int, size: str, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _end)
        try:
            if check:
                self._check(size)
            else:
                self._serve(size, port)
        except EmbeddedServerError as error:
            raise CommandError(str(error), returncode=2) from None
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None

    def _check(self, size: str) -> None:
        with passing_deployment(size) as deployment:
            self._announce(deployment)
            outcomes = run_steps(_possible(CHECK), deployment, self._show)
        failed = [outcome.name for outcome in outcomes if not outcome.ok]
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}.")
        self.stdout.write(self.style.SUCCESS(f"All {len(outcomes)} steps are ok."))

    def _serve(self, size: str, port: int) -> None:
        port = _usable(port)
        self.stdout.write(f"http://127.0.0.1:{port}/ is the demo, when these steps are done:")
        self.stdout.flush()
        with kept_deployment(size) as deployment:
            self._announce(deployment)
            steps = _possible(BEFORE_SERVING)
            outcomes = run_steps(steps, deployment, self._show)
            if len(outcomes) < len(steps):
                raise CommandError(f"The site is not served, because {outcomes[-1].name} failed.")
            self.stdout.write(
                f"\nThe site:  http://127.0.0.1:{port}/\n"
                f"The admin: http://127.0.0.1:{port}/admin/  ({USER} / {PASSWORD})\n"
                f"Reports:   {deployment.reports}\nPress Ctrl-C to stop.\n"
            )
            call_command("runserver", f"127.0.0.1:{port}", use_reloader=False)

    def _announce(self, deployment: Deployment) -> None:
        self.stdout.write(
            f"MongoDB at {deployment.uri.rpartition('@')[2]}, database {deployment.database}, "
            f"{_engine()}"
        )

    def _show(self, outcome: Outcome) -> None:
        mark = self.style.SUCCESS("ok    ") if outcome.ok else self.style.ERROR("failed")
        self.stdout.write(f"{mark} {outcome.seconds:5.1f} s  {outcome.name}: {outcome.text}")
        self.stdout.flush()


def _engine() -> str:
    engine: str = connection.settings_dict["ENGINE"]
    return engine


def _possible(steps: tuple[Step, ...]) -> list[Step]:
    return possible(steps, engine=_engine() == "djongo_services.backend")


def _usable(port: int) -> int:
    """The port, or a free one for 0; an error is raised now rather than after all the steps."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            raise CommandError(f"Port {port} cannot be used; choose another: --port.") from None
        found: int = probe.getsockname()[1]
        return found


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
