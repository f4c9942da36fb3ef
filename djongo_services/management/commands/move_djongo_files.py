"""``manage.py move_djongo_files``: files from djongo's layout into a storage of the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from djongo_services.formatting import count
from djongo_services.lease import Locked
from djongo_services.management.base import ExitCode, ServiceCommand
from djongo_services.management.interruption import stop_on_interrupt
from djongo_services.storage.collector.references.storages import configured_storages
from djongo_services.storage.djongo import DjongoGridFSStorage, MoveReport, move_djongo_files
from djongo_services.storage.djongo.report import render_json, render_text
from djongo_services.storage.gridfs import GridFSStorage


class Command(ServiceCommand):
    help = gettext_noop(
        "Copy the files that djongo's GridFSStorage kept, a bucket for each folder, to the same "
        "names in a GridFSStorage of the project. It can be run again as often as needed: existing "
        "files are left alone, and nothing is replaced. Exit code 2: some files stayed where they "
        "were; 3: another run is in progress."
    )
    formats = ("text", "json")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "storage", metavar="STORAGE", help=_("Where the files go, an alias in STORAGES.")
        )
        super().add_arguments(parser)
        parser.add_argument(
            "--collection",
            default="storage",
            help=_("djongo's option of that name (default: %(default)s)."),
        )
        parser.add_argument("--location", default="", help=_("djongo's option of that name."))
        parser.add_argument(
            "--folder",
            action="append",
            default=[],
            metavar="BUCKET=FOLDER",
            help=_(
                "Which folder a bucket was, without the collection's name, where dots were in the "
                "names of folders: v1.2=v1.2 (default: every dot was a slash); may be repeated."
            ),
        )
        parser.add_argument(
            "--delete-originals",
            action="store_true",
            help=_("Delete what was copied, with its older revisions."),
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help=_("Report what would be moved, and change nothing."),
        )

    def handle(self, *, storage: str, database: str, **options: Any) -> None:
        self.check_output(options["output"])
        new = _storage(storage)
        folders = _folders(options["folder"])
        old = DjongoGridFSStorage(options["location"], options["collection"], database)
        connection = self.connect(database, verbosity=options["verbosity"])
        if new.using != database:
            self.connect(new.using, verbosity=options["verbosity"])
        with self.describing_errors(connection), stop_on_interrupt() as stop:
            try:
                with self.progress(options) as progress:
                    report = move_djongo_files(
                        old,
                        new,
                        folders=folders,
                        delete_originals=options["delete_originals"],
                        dry_run=options["dry_run"],
                        progress=progress,
                        stop=stop,
                    )
            except Locked as error:
                raise CommandError(str(error), returncode=ExitCode.LOCKED) from error
        self._tell(report, options)

    def _tell(self, report: MoveReport, options: dict[str, Any]) -> None:
        machine = options["format"] == "json"
        self.deliver(
            render_json(report) if machine else render_text(report),
            output=options["output"],
            machine=machine,
            verbosity=options["verbosity"],
        )
        if report.interrupted:
            raise CommandError(
                _("Interrupted: copied files are kept; run the command again to continue."),
                returncode=ExitCode.INTERRUPTED,
            )
        if report.stayed:
            text = ngettext(
                "%(count)s file stayed where djongo left it; the report says why.",
                "%(count)s files stayed where djongo left them; the report says why.",
                report.stayed,
            )
            raise _trouble(text % {"count": count(report.stayed)})


def _storage(alias: str) -> GridFSStorage:
    if alias not in storages.backends:
        raise _trouble(_no_storage(alias))
    try:
        storage = storages[alias]
    except ImproperlyConfigured as error:
        raise _trouble(str(error)) from error
    if not isinstance(storage, GridFSStorage):
        text = _(
            "STORAGES[%(alias)r] is of %(type)s; files can be moved to a "
            "djongo_services.storage.GridFSStorage."
        )
        raise _trouble(text % {"alias": alias, "type": type(storage).__name__})
    return storage


def _no_storage(alias: str) -> str:
    """With the alias that is meant, where it is a bucket's name."""
    configured = list(configured_storages())
    meant = [
        name
        for name, storage in configured
        if isinstance(storage, GridFSStorage) and storage.bucket_name == alias
    ]
    if meant:
        text = _(
            "STORAGES has no alias %(alias)r. The storage with the bucket %(alias)r is "
            "%(storage)r; run move_djongo_files %(storage)s."
        )
        return text % {"alias": alias, "storage": meant[0]}
    names = ", ".join(repr(name) for name in storages.backends) or _("none")
    text = _("STORAGES has no alias %(alias)r; its aliases are %(names)s.")
    return text % {"alias": alias, "names": names}


def _folders(given: Sequence[str]) -> dict[str, str]:
    folders = {}
    for each in given:
        bucket, equals, folder = each.partition("=")
        if not (bucket and equals and folder.strip("/")):
            text = _("--folder is BUCKET=FOLDER, such as v1.2=v1.2, not %(given)r.")
            raise _trouble(text % {"given": each})
        folders[bucket] = folder
    return folders


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
