"""Sentences about what the collector will do with a file."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.files.address import FoundFile
from djongo_services.admin.files.rows import moment_text
from djongo_services.conf import settings
from djongo_services.formatting import count, printable
from djongo_services.storage.collector import Kind
from djongo_services.storage.collector.outlook import Outlook


def fate_text(found: Outlook) -> str:
    """Why the collector keeps it, or why and when it collects it."""
    match found.fate:
        case "used":
            return _("The collector keeps it, because something refers to it.")
        case "unsure":
            return _(
                "The collector keeps it: nothing that it checks shows whether the file is in use."
            )
        case "excluded":
            return _("The collector keeps it, because the project excludes its name.")
        case "kept":
            return _(
                "The collector keeps it although it is broken, because it is or may be in use."
            )
    why = _why(found)
    when = _when(found)
    if settings.storage.search == "everything" and found.kind is Kind.UNREFERENCED:
        return _("%(why)s %(when)s Before that, it looks for the name in all texts.") % {
            "why": why,
            "when": when,
        }
    return _("%(why)s %(when)s") % {"why": why, "when": when}


def trash_text(found: FoundFile) -> str:
    """When a file in the trash is deleted for good."""
    days = settings.storage.trash_days
    when = (found.entry or {}).get("trashedAt")
    if not isinstance(when, datetime):
        return _("It can be restored until the trash is emptied.")
    return ngettext(
        "It can be restored. After %(days)s day in the trash, from %(due)s on, gridfs_gc --purge "
        "deletes it for good, unless something refers to it.",
        "It can be restored. After %(days)s days in the trash, from %(due)s on, gridfs_gc --purge "
        "deletes it for good, unless something refers to it.",
        days,
    ) % {"days": count(days), "due": moment_text(_later(when, days))}


def _why(found: Outlook) -> str:
    match found.kind:
        case Kind.SUPERSEDED:
            return _("There is a newer revision of the name, and its storage keeps none.")
        case Kind.BROKEN:
            return _("It is broken (%(why)s), and cannot be read.") % {
                "why": printable(found.reason)
            }
        case _:
            return _("Nothing refers to it.")


def _when(found: Outlook) -> str:
    if found.since is None or found.due is None:
        return _("The next run of the collector moves it to the trash.")
    told = {
        "since": moment_text(found.since),
        "due": moment_text(found.due),
        "hours": _hours(settings.storage.grace),
    }
    if found.fate == "waits":
        return (
            _(
                "The collector moves it to the trash from %(due)s on, %(hours)s after its last "
                "change (%(since)s)."
            )
            % told
        )
    return (
        _(
            "The next run of the collector moves it to the trash, because its last change "
            "(%(since)s) is more than %(hours)s ago."
        )
        % told
    )


def _hours(age: timedelta) -> str:
    hours, rest = divmod(age.total_seconds(), 3600)
    if rest:
        minutes = round(age.total_seconds() / 60)
        return ngettext("%(count)s minute", "%(count)s minutes", minutes) % {
            "count": count(minutes)
        }
    return ngettext("%(count)s hour", "%(count)s hours", int(hours)) % {"count": count(int(hours))}


def _later(when: datetime, days: int) -> datetime | None:
    try:
        return when + timedelta(days=days)
    except OverflowError:
        return None
