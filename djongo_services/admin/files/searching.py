"""The form above a list of files, and messages about a search."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.filters import ORDERS, SIZES, STATES, WITHOUT_TYPE, Filters
from djongo_services.admin.files.listing import ListedFiles, ListIndexes
from djongo_services.admin.files.totals import Known
from djongo_services.formatting import count, printable, shortened

MOST_TYPES = 30

Choice = dict[str, Any]


def choices(address: BucketAddress, filters: Filters, known: Known) -> dict[str, list[Choice]]:
    """The choices of the form's fields."""
    return {
        "types": _types(filters, known),
        "sizes": [
            _choice(name, label, filters.size)
            for name, label in {"": _("any size"), **_sizes()}.items()
        ],
        "orders": [
            _choice(name, _orders()[name], "name" if filters.by_name else filters.order)
            for name in ORDERS
        ],
        "states": [
            {
                "name": _states()[state],
                "url": Filters(state=state).url() if state else "?",
                "is_current": filters.state == state,
            }
            for state in STATES
        ],
    }


def messages_about(filters: Filters, indexes: ListIndexes, listed: ListedFiles) -> list[str]:
    """Messages about what is listed."""
    said = []
    if not indexes.names and (filters.order == "name" or filters.begins) and not filters.state:
        said.append(
            _(
                "The bucket lacks the index on filename and uploadDate that GridFS specifies, so "
                "searching by name reads every file, and the list is sorted by id."
            )
        )
    if listed.looked_at is not None:
        said.append(
            _("%(count)s files were searched so far; there are more.")
            % {"count": count(listed.looked_at)}
        )
    return said


def filter_words(filters: Filters) -> str:
    """A description of the listed files."""
    said = []
    if filters.state == "trash":
        said.append(_("in the trash"))
    if filters.begins:
        name = shortened(printable(filters.begins), 100)
        said.append(_("the name begins with %(name)s") % {"name": name})
    if filters.checksum:
        said.append(_("the SHA-256 is %(checksum)s") % {"checksum": filters.checksum})
    if filters.type:
        kind = shortened(printable(filters.type), 60)
        said.append(
            _("without a type")
            if filters.type == WITHOUT_TYPE
            else _("of the type %(type)s") % {"type": kind}
        )
    if filters.size:
        said.append(_sizes()[filters.size])
    if filters.since:
        said.append(_("uploaded from %(day)s on") % {"day": filters.since})
    if filters.until:
        said.append(_("uploaded until %(day)s") % {"day": filters.until})
    return ", ".join(said) or _("every file of the bucket")


def _types(filters: Filters, known: Known) -> list[Choice]:
    named = {
        "": _("any type"),
        "image/": _("images"),
        "video/": _("video"),
        "audio/": _("audio"),
        "text/": _("text"),
        WITHOUT_TYPE: _("without a type"),
    }
    if known.totals is not None:
        types = [share.name for share in known.totals.types if _can_be_chosen(share.name)]
        named |= {str(name): shortened(str(name), 60) for name in types[:MOST_TYPES]}
    if filters.type not in named:
        named[filters.type] = shortened(printable(filters.type), 60)
    return [_choice(name, label, filters.type) for name, label in named.items()]


def _can_be_chosen(name: str | None) -> bool:
    """Whether it can be offered: not if it has no type, is too long, or contains control
    characters."""
    return name not in (None, "?") and printable(str(name)) == name


def _choice(value: str, label: str, current: str) -> Choice:
    return {"value": value, "label": label, "is_current": value == current}


def _sizes() -> dict[str, str]:
    labels = {
        "empty": _("empty"),
        "tiny": _("up to 10 kB"),
        "small": _("10 kB to 1 MB"),
        "medium": _("1 to 10 MB"),
        "large": _("10 to 100 MB"),
        "huge": _("100 MB and more"),
    }
    return {name: labels[name] for name in SIZES}


def _orders() -> dict[str, str]:
    return {
        "newest": _("newest first"),
        "oldest": _("oldest first"),
        "name": _("by name"),
    }


def _states() -> dict[str, str]:
    return {
        "": _("In the bucket"),
        "trash": _("In the trash"),
        "unreferenced": _("Unreferenced"),
        "broken": _("Broken"),
        "superseded": _("Superseded"),
    }
