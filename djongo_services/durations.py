"""Times that passed, and times that something will take, in the reader's language."""

from __future__ import annotations

from djongo_services.formatting import TimePart, count, time_parts, time_range, whole_unit
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext


def elapsed_text(seconds: float) -> str:
    """``3 minutes 12 seconds``; as :func:`djongo_services.formatting.elapsed`."""
    return " ".join(map(_part, time_parts(seconds))) or _("less than 1 second")


def about_text(low: float, high: float) -> str:
    """``about 2 to 12 minutes``; as :func:`djongo_services.formatting.about`."""
    first, last = time_range(low, high)
    start = count(first[0]) if first[1] == last[1] else _part(first)
    return _("about %(low)s to %(high)s") % {"low": start, "high": _part(last)}


def duration_text(seconds: float) -> str:
    """``48 hours``, ``7 days``; as :func:`djongo_services.formatting.duration`."""
    return _part(whole_unit(seconds))


def _part(part: TimePart) -> str:
    number, unit = part
    said = {
        "s": ngettext("%(count)s second", "%(count)s seconds", number),
        "m": ngettext("%(count)s minute", "%(count)s minutes", number),
        "h": ngettext("%(count)s hour", "%(count)s hours", number),
        "d": ngettext("%(count)s day", "%(count)s days", number),
    }
    return said[unit] % {"count": count(number)}
