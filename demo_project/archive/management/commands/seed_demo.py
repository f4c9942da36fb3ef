"""Fills the archive with invented content, and with the leftovers that databases collect over the
years.

The same size produces the same content in every run. A second run replaces the content of the first
one, so that nothing is duplicated, and leaves alone what was added by hand. In addition to the
models' documents, there are oddities that ``inspectmongo`` finds, drift from the models that
``syncmongoschema`` repairs, and garbage that ``gridfs_gc`` collects; ``--list-oddities`` prints
them.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.test.utils import override_settings
from pymongo.errors import PyMongoError

from demo_project.archive.seeding.drift import DRIFT
from demo_project.archive.seeding.everything import seed
from demo_project.archive.seeding.garbage import GARBAGE
from demo_project.archive.seeding.oddities import ODDITIES
from demo_project.archive.seeding.sizes import SIZES
from djongo_services.connections import connections
from djongo_services.error_messages import describe_error


class Command(BaseCommand):
    help = "Fill the archive with deterministic content and seeded oddities."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--size",
            choices=list(SIZES),
            default="small",
            help="about 500, 20,000 or 500,000 documents (default: small)",
        )
        parser.add_argument(
            "--list-oddities", action="store_true", help="only print what is odd on purpose"
        )

    def handle(self, *, size: str, list_oddities: bool, **options: Any) -> None:
        if list_oddities:
            for oddity in (*ODDITIES, *DRIFT, *GARBAGE):
                self.stdout.write(str(oddity))
            return
        started = perf_counter()
        try:
            # With DEBUG on, the backend would keep a deep copy of every batch for its query log.
            with override_settings(DEBUG=False):
                made = seed(size)
        except (PyMongoError, DatabaseError) as error:
            cause = error.__cause__ if isinstance(error.__cause__, PyMongoError) else error
            raise CommandError(describe_error(cause, connections["default"])) from None
        if options["verbosity"] > 1:
            for collection, count in made.items():
                self.stdout.write(f"{count:>9,} {collection}")
        self.stdout.write(
            f"Seeded {sum(made.values()):,} documents in {len(made)} collections "
            f"in {perf_counter() - started:.1f} s."
        )
