"""What ``inspectmongo`` needs to compare: its options, the files that these name, the outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.connections import Connection
from djongo_services.drift.accepted import (
    Acceptance,
    AcceptedUnreadable,
    parse_accepted,
    with_accepted,
)
from djongo_services.drift.comparing import TOLERANCE, compare
from djongo_services.drift.comparison import SEVERITIES, Comparison, Severity
from djongo_services.drift.formats import COMPARISON_FORMATS
from djongo_services.drift.models import compare_with_models
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import count, decimal, printable
from djongo_services.introspection.json_values import ReportUnreadable
from djongo_services.introspection.report import Report
from djongo_services.introspection.saved import read_report
from djongo_services.management.base import ExitCode
from djongo_services.schema.declared import Specs, specs_by_name
from djongo_services.schema.remaking import PREFIX
from djongo_services.schema.target import nothing_chosen

_NAMED = 5


def add_comparing_arguments(parser: CommandParser) -> None:
    group = parser.add_argument_group(_("comparing"))
    sides = group.add_mutually_exclusive_group()
    sides.add_argument(
        "--baseline",
        metavar="FILE",
        type=Path,
        help=_("Show what changed since a report that --format json wrote."),
    )
    sides.add_argument(
        "--against",
        metavar="ALIAS",
        help=_("Inspect that connection as well, and show how this one differs from it."),
    )
    sides.add_argument(
        "--against-models",
        action="store_true",
        help=_("Show the documents that the models refuse, and the fields that no model declares."),
    )
    group.add_argument(
        "--check", action="store_true", help=_("Exit code 1 where differences reach --fail-on.")
    )
    group.add_argument(
        "--fail-on",
        choices=SEVERITIES,
        help=_(
            "With --check: breaks for what the models refuse, new for what came or went as well, "
            "moved for every difference (default: new)."
        ),
    )
    group.add_argument(
        "--accept",
        metavar="FILE",
        type=Path,
        help=_("Differences that are known; --format accepted writes such lines."),
    )
    group.add_argument(
        "--tolerance",
        metavar="POINTS",
        type=float,
        help=_("Leave out shares that moved by fewer percentage points (default: %(points)s).")
        % {"points": decimal(TOLERANCE * 100)},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparing:
    """What the options ask for."""

    baseline: Report | None
    label: str
    """The name of the other side."""
    against: str | None
    """An alias."""
    with_models: bool
    check: bool
    fail_on: Severity
    accepted: tuple[Acceptance, ...]
    accepted_file: str
    tolerance: float
    chosen: Callable[[str], bool]

    @classmethod
    def of(
        cls, format: str, collections: Sequence[str], options: dict[str, Any]
    ) -> Comparing | None:
        """None where nothing is to be compared. Raises CommandError; reads the files."""
        baseline, against = options["baseline"], options["against"]
        if baseline is None and against is None and not options["against_models"]:
            _refuse_alone(format, options)
            return None
        if format not in COMPARISON_FORMATS:
            text = _("--format %(format)s cannot show a comparison; choose one of %(formats)s.")
            raise _trouble(text % {"format": format, "formats": ", ".join(COMPARISON_FORMATS)})
        if options["fail_on"] is not None and not options["check"]:
            raise _trouble(_("--fail-on requires --check."))
        tolerance = options["tolerance"]
        if tolerance is not None and not 0 <= tolerance <= 100:
            text = _("--tolerance must be from 0 to 100 points, not %(given)s.")
            raise _trouble(text % {"given": f"{tolerance:g}"})
        accept = options["accept"]
        return cls(
            baseline=None if baseline is None else read_baseline(Path(baseline)),
            label="" if baseline is None else Path(baseline).name,
            against=against,
            with_models=options["against_models"],
            check=options["check"],
            fail_on=options["fail_on"] or "new",
            accepted=() if accept is None else _read_accepted(Path(accept)),
            accepted_file="" if accept is None else str(accept),
            tolerance=TOLERANCE if tolerance is None else tolerance / 100,
            chosen=was_chosen(collections, options["exclude"]),
        )

    def names(
        self, connection: Connection, other: Connection | None, collections: Sequence[str]
    ) -> tuple[Sequence[str] | None, Sequence[str] | None]:
        """Which collections to inspect, on the other side and here; None for all.

        One that only one side has is no mistake but a difference. Of one that neither has, this
        side says so. For the models it is theirs. Raises CommandError where these are asked for and
        cannot be understood.
        """
        if not collections and self.with_models:
            models = _known_models(connection)
            have = connection.database.list_collection_names()
            return None, [name for name in have if name in models]
        if not collections:
            return None, None
        here = set(connection.database.list_collection_names())
        if other is not None:
            there = set(other.database.list_collection_names())
        elif self.baseline is not None:
            there = {one.collection.name for one in self.baseline.collections}
        else:
            there = set()
        wanted = [name for name in collections if name in here or name not in there]
        return [name for name in collections if name in there], wanted

    def compare(
        self,
        connection: Connection,
        report: Report,
        before: Report | None,
        other: Connection | None,
    ) -> Comparison:
        """``report`` is of the connection; ``before`` of ``other`` or the baseline, or None where
        the models are what it is held against.

        Raises CommandError where the models are asked for and cannot be understood.
        """
        here = f"the connection {connection.alias!r}"
        if before is None:
            models = _known_models(connection)
            found = compare_with_models(report, models, label=here, chosen=self.chosen)
        else:
            models, notes = _models(connection)
            found = compare(
                before,
                report,
                labels=(f"the connection {other.alias!r}" if other else self.label, here),
                models=models,
                chosen=self.chosen,
                tolerance=self.tolerance,
            )
            found = replace(found, notes=(*notes, *found.notes))
        return with_accepted(found, self.accepted) if self.accepted else found

    def unused_words(self, comparison: Comparison) -> str | None:
        if not comparison.unused:
            return None
        lines = "; ".join(printable(line) for line in comparison.unused[:_NAMED])
        more = " ..." if len(comparison.unused) > _NAMED else ""
        text = _("%(file)s accepts what does not differ (any more): %(lines)s")
        return text % {"file": printable(self.accepted_file), "lines": f"{lines}{more}"}


def refuse_incomplete(comparison: Comparison) -> None:
    """A check that could not look at everything is no proof that nothing differs."""
    names = comparison.incomplete
    if names:
        text = _(
            "Not everything could be compared: %(names)s; the result says why. Leave them out "
            "with --exclude, or make another baseline."
        )
        raise _trouble(text % {"names": _shortened(names)})


def _shortened(names: Sequence[str]) -> str:
    first = printable(", ".join(names[:_NAMED]))
    more = len(names) - _NAMED
    if more <= 0:
        return first
    text = ngettext("%(names)s and %(count)s more", "%(names)s and %(count)s more", more)
    return text % {"names": first, "count": count(more)}


def _refuse_alone(format: str, options: dict[str, Any]) -> None:
    given = {
        "--check": options["check"],
        "--fail-on": options["fail_on"] is not None,
        "--accept": options["accept"] is not None,
        "--tolerance": options["tolerance"] is not None,
        "--format accepted": format == "accepted",
    }
    for name, is_given in given.items():
        if is_given:
            text = _("%(option)s requires --baseline, --against or --against-models.")
            raise _trouble(text % {"option": name})


def _known_models(connection: Connection) -> Specs:
    try:
        models = specs_by_name(connection)
    except (ImproperlyConfigured, DjongoServicesError) as error:
        text = _("The models cannot be compared: %(error)s")
        raise _trouble(text % {"error": printable(str(error))}) from None
    if not models:
        raise _trouble(nothing_chosen(connection))
    return models


def _models(connection: Connection) -> tuple[Specs, tuple[str, ...]]:
    """What the models want, or why that is not considered."""
    try:
        return specs_by_name(connection), ()
    except (ImproperlyConfigured, DjongoServicesError) as error:
        return {}, (f"The models are not considered: {error}",)


def read_baseline(path: Path) -> Report:
    """Raises CommandError, with one sentence."""
    data = _read(path, _("Cannot read the baseline %(path)r: %(reason)s."))
    try:
        return read_report(data)
    except ReportUnreadable as error:
        text = _("Cannot use the baseline %(path)r. %(error)s")
        raise _trouble(text % {"path": str(path), "error": printable(str(error))}) from None


def _read_accepted(path: Path) -> tuple[Acceptance, ...]:
    data = _read(path, _("Cannot read the accepted differences %(path)r: %(reason)s."))
    try:
        return parse_accepted(data.decode())
    except UnicodeDecodeError:
        raise _trouble(_("Cannot use %(path)r: it is not UTF-8.") % {"path": str(path)}) from None
    except AcceptedUnreadable as error:
        text = _("Cannot use %(path)r. %(error)s")
        raise _trouble(text % {"path": str(path), "error": printable(str(error))}) from None


def _read(path: Path, refusal: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _trouble(refusal % {"path": str(path), "reason": error.strerror}) from None


def was_chosen(collections: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Return a test for the collections to compare, which are the same on both sides. The app's own
    collections are excluded unless they are named."""
    named = frozenset(collections)

    def is_chosen(name: str) -> bool:
        if named and name not in named:
            return False
        if not named and name.startswith(PREFIX):
            return False
        return not any(fnmatchcase(name, pattern) for pattern in exclude)

    return is_chosen


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
