"""Elapsed and estimated times, in the user's language."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.formatting import TimePart, count, time_parts, time_range
from djongo_services.schema.estimating import BuildEstimate


def elapsed_text(seconds: float) -> str:
    """``3 minutes 12 seconds``; the same as :func:`djongo_services.formatting.elapsed`."""
    return " ".join(map(_part, time_parts(seconds))) or _("less than 1 second")


def about_text(estimate: BuildEstimate | None) -> str:
    """``about 2 to 12 minutes``; empty if nothing is known."""
    if estimate is None:
        return ""
    first, last = time_range(estimate.low, estimate.high)
    low = count(first[0]) if first[1] == last[1] else _part(first)
    return _("about %(low)s to %(high)s") % {"low": low, "high": _part(last)}


def estimated_text(estimate: BuildEstimate | None) -> str:
    """The total time of the builds, and the basis of the estimate; empty if nothing is known."""
    if estimate is None:
        return ""
    time = {"time": about_text(estimate)}
    if not estimate.builds:
        return _("Index builds take %(time)s, estimated from usual speeds of servers.") % time
    said = ngettext(
        "Index builds take %(time)s, estimated from %(count)s earlier build in this database.",
        "Index builds take %(time)s, estimated from %(count)s earlier builds in this database.",
        estimate.builds,
    )
    return said % {**time, "count": count(estimate.builds)}


def _part(part: TimePart) -> str:
    number, unit = part
    said = {
        "s": ngettext("%(count)s second", "%(count)s seconds", number),
        "m": ngettext("%(count)s minute", "%(count)s minutes", number),
        "h": ngettext("%(count)s hour", "%(count)s hours", number),
        "d": ngettext("%(count)s day", "%(count)s days", number),
    }
    return said[unit] % {"count": count(number)}
