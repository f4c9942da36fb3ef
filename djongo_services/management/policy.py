"""Options of ``syncmongoschema`` that decide what a plan does, and what of it may be done."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from djongo_services.schema.diff import IndexPolicy, ValidationPolicy
from djongo_services.schema.syncing import SyncPolicy

POLICY = ("prune", "drop_index", "validation", "validation_action", "replace_validator")
"""Options that only matter where a plan is made."""


def add_policy_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--prune",
        choices=("report", "hide", "drop"),
        default="report",
        help=_("Indexes that no model declares. drop leaves those in use (default: %(default)s)."),
    )
    parser.add_argument(
        "--drop-index",
        action="append",
        default=[],
        metavar="COLLECTION.INDEX",
        help=_("Drop this undeclared index although it is in use; may be repeated."),
    )
    parser.add_argument(
        "--validation",
        choices=("off", "moderate", "strict"),
        help=_(
            "The validators' level; off leaves them alone (default: moderate while documents "
            "violate them, else strict)."
        ),
    )
    parser.add_argument(
        "--validation-action",
        choices=("warn", "error"),
        help=_("What a violation does (default: warn while there are any, else error)."),
    )
    parser.add_argument(
        "--replace-validator",
        action="append",
        default=[],
        metavar="COLLECTION",
        help=_(
            "Replace the validator of this collection although djongo_services did not write "
            "it; may be repeated (default: such validators are kept and reported)."
        ),
    )
    parser.add_argument(
        "--references",
        action="store_true",
        help=_("With --check: also look for foreign keys whose target does not exist."),
    )
    parser.add_argument(
        "--allow-destructive",
        action="store_true",
        help=_("Allow steps that drop indexes or let documents expire."),
    )
    parser.add_argument(
        "--noinput", action="store_true", help=_("Do not prompt before destructive steps.")
    )


def policy_of(options: dict[str, Any]) -> SyncPolicy:
    return SyncPolicy(
        indexes=IndexPolicy(prune=options["prune"], named=tuple(options["drop_index"])),
        validation=ValidationPolicy(
            level=options["validation"],
            action=options["validation_action"],
            replace=tuple(options["replace_validator"]),
        ),
    )
