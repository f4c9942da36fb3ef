"""Options of ``gridfs_gc``: which they are, and what cannot be combined."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from djongo_services.formatting import parse_age
from djongo_services.management.base import ExitCode
from djongo_services.storage.collector import BATCH_SIZE, Kind


def add_buckets_argument(parser: CommandParser) -> None:
    parser.add_argument(
        "buckets",
        nargs="*",
        metavar="BUCKET",
        help=_(
            "Only these (default: those of the project's storages; without any, all that "
            "the database has)."
        ),
    )


def add_collecting_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help=_(
            'Skip what is younger, such as 48h or 7d (default: STORAGE["GRACE"], 48h); '
            'with --purge: how long in the trash (default: STORAGE["TRASH_DAYS"], 30 days).'
        ),
    )
    parser.add_argument(
        "--only",
        action="append",
        type=Kind,
        choices=list(Kind),
        metavar="KIND",
        help=_("Only this kind, one of %(choices)s; may be repeated."),
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help=_("Read every byte, and compare sizes and checksums too."),
    )
    parser.add_argument(
        "--ignore-model",
        action="append",
        default=[],
        metavar="APP.MODEL",
        help=_(
            "Skip this model, whose table cannot be read; files that only it refers "
            "to are collected. May be repeated."
        ),
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help=_(
            "Skip files whose names match, such as 'thumbnails/*', in addition to those of "
            'STORAGE["EXCLUDE"]. May be repeated.'
        ),
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=BATCH_SIZE,
        metavar="N",
        help=_("Files and names that are looked up at once (default: %(default)s)."),
    )
    parser.add_argument(
        "--no-trash",
        action="store_true",
        help=_("Delete for good instead of keeping in the trash."),
    )
    _add_modes(parser)


def _add_modes(parser: CommandParser) -> None:
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--restore",
        nargs="+",
        metavar="ID",
        help=_("Restore these from the trash: ids as they are shown, or filenames."),
    )
    mode.add_argument(
        "--purge",
        action="store_true",
        help=_("Delete for good what has been in the trash long enough."),
    )
    mode.add_argument(
        "--resume",
        action="store_true",
        help=_("Resume an interrupted run, with its options."),
    )
    change = parser.add_mutually_exclusive_group()
    change.add_argument(
        "--dry-run", action="store_true", help=_("Report what would be done, and change nothing.")
    )
    change.add_argument(
        "--check",
        action="store_true",
        help=_("Like --dry-run; exit code 1 where there is something to collect or broken."),
    )
    change.add_argument("--noinput", action="store_true", help=_("Do not prompt before removing."))


def read_options(options: dict[str, Any]) -> None:
    """Make of texts, as call_command() may pass them, what a shell's arguments become; and check
    what can be combined. Raises CommandError."""
    if isinstance(options["older_than"], str):
        options["older_than"] = _called_age(options["older_than"])
    options["only"] = _called_kinds(options["only"] or ())
    _check(options)


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
        text = _("only: no kind %(name)r; choose from %(kinds)s.")
        raise _trouble(text % {"name": unknown[0], "kinds": ", ".join(Kind)})
    return [Kind(name) for name in names]


def _check(options: dict[str, Any]) -> None:
    if options["batch_size"] < 1:
        text = _("--batch-size must be positive, not %(given)s.")
        raise _trouble(text % {"given": options["batch_size"]})
    looks = options["dry_run"] or options["check"]
    if options["resume"] and looks:
        raise _trouble(_("--resume cannot be combined with --dry-run or --check; it removes."))
    if options["restore"] and looks:
        raise _trouble(
            _("--restore cannot be combined with --dry-run or --check; it never prompts.")
        )
    collecting = {"only": "--only", "verify": "--verify", "no_trash": "--no-trash"}
    given = [name for key, name in collecting.items() if options[key]]
    for mode in ("restore", "purge", "resume"):
        if options[mode] and given:
            text = _("%(one)s cannot be combined with %(other)s.")
            raise _trouble(text % {"one": given[0], "other": f"--{mode}"})


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
