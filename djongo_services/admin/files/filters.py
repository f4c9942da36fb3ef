"""The filters of a list of files, from a URL's query, and as a query for the server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self
from urllib.parse import urlencode

from django.utils.dateparse import parse_date

Document = dict[str, Any]
Order = Literal["newest", "oldest", "name"]
State = Literal["", "trash", "unreferenced", "broken", "superseded"]

ORDERS: tuple[Order, ...] = ("newest", "oldest", "name")
FOUND: tuple[State, ...] = ("unreferenced", "broken", "superseded")
"""States that a dry run of the collector determines."""
STATES: tuple[State, ...] = ("", "trash", *FOUND)
LONGEST = 1_000
"""The maximum number of characters of a search."""
SIZES: dict[str, tuple[int, int | None]] = {
    "empty": (0, 1),
    "tiny": (1, 10_000),
    "small": (10_000, 1_000_000),
    "medium": (1_000_000, 10_000_000),
    "large": (10_000_000, 100_000_000),
    "huge": (100_000_000, None),
}
"""Bytes from, and below."""
WITHOUT_TYPE = "-"

_CHECKSUM = re.compile(r"[0-9a-fA-F]{64}")
_LAST = "\U0010ffff"


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    state: State = ""
    begins: str = ""
    """The beginning of the filename."""
    checksum: str = ""
    """The SHA-256 in lower case."""
    type: str = ""
    """A content type, the beginning of some (``image/``), or :data:`WITHOUT_TYPE`."""
    size: str = ""
    since: str = ""
    """A day: ``2026-11-26``."""
    until: str = ""
    """A day, which is included."""
    order: Order = "newest"

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Self:
        """Filters from parameters; invalid ones are ignored."""
        state, order, size = asked.get("state", ""), asked.get("o", ""), asked.get("size", "")
        text = asked.get("q", "")[:LONGEST].replace("\0", "").strip()
        is_checksum = _CHECKSUM.fullmatch(text) and not asked.get("name")
        return cls(
            state=_one_of(STATES, state, ""),
            begins="" if is_checksum else _sendable(text),
            checksum=text.lower() if is_checksum else "",
            type=_sendable(asked.get("type", "")[:LONGEST].replace("\0", "").strip()),
            size=size if size in SIZES else "",
            since=_day(asked.get("since", "")),
            until=_day(asked.get("until", "")),
            order=_one_of(ORDERS, order, "newest"),
        )

    @property
    def query(self) -> dict[str, str]:
        """The parameters in a URL, without empty ones."""
        given = {
            "state": self.state,
            "q": self.begins or self.checksum,
            # A name that looks like a checksum is searched for as a name.
            "name": "1" if _CHECKSUM.fullmatch(self.begins) else "",
            "type": self.type,
            "size": self.size,
            "since": self.since,
            "until": self.until,
            "o": "" if self.order == "newest" else self.order,
        }
        return {name: value for name, value in given.items() if value}

    def url(self, **more: str) -> str:
        return "?" + urlencode({**self.query, **more})

    @property
    def by_name(self) -> bool:
        """Whether the list is sorted by name, which it is when names are searched for."""
        return not self.state and (self.order == "name" or bool(self.begins))

    @property
    def is_everything(self) -> bool:
        """Whether it selects every file of its state."""
        return not self.begins and not self.conditions()

    def conditions(self, prefix: str = "", *, names: bool = False) -> Document:
        """Conditions on files documents; ``prefix`` is their path in another document: ``file.``.

        ``names``: also the beginning of the filename, for which an index is better.
        """
        found: list[Document] = []
        if self.type:
            found.append(_of_type(self.type, prefix))
        if self.size:
            start, stop = SIZES[self.size]
            below = {} if stop is None else {"$lt": stop}
            found.append({f"{prefix}length": {"$gte": start, **below}})
        if self.since:
            found.append({f"{prefix}uploadDate": {"$gte": _midnight(self.since)}})
        if self.until:
            after = _midnight(self.until) + timedelta(days=1)
            found.append({f"{prefix}uploadDate": {"$lt": after}})
        if self.checksum:
            found.append({f"{prefix}metadata.sha256": self.checksum})
        if self.begins and names:
            found.append({f"{prefix}filename": {"$regex": f"^{re.escape(self.begins)}"}})
        return {"$and": found} if found else {}

    def names(self) -> tuple[str, Any]:
        """The range of filenames with this beginning: from the first value up to, but without, the
        second."""
        return self.begins, after_prefix(self.begins)


def after_prefix(prefix: str) -> Any:
    """The first value, in the server's order, after all texts with this beginning.

    The server compares UTF-8 byte by byte, which is the order of code points; objects come after
    all texts.
    """
    kept = prefix.rstrip(_LAST)
    if not kept:
        return {}
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)


def _of_type(wanted: str, prefix: str) -> Document:
    kept, older = f"{prefix}metadata.contentType", f"{prefix}contentType"
    if wanted == WITHOUT_TYPE:
        return {kept: {"$in": [None, ""]}, older: {"$in": [None, ""]}}
    is_beginning = wanted.endswith("/")
    value: Any = {"$regex": f"^{re.escape(wanted)}"} if is_beginning else {"$eq": wanted}
    return {"$or": [{kept: value}, {kept: None, older: value}]}


def _one_of(known: tuple[Any, ...], asked: str, default: str) -> Any:
    return asked if asked in known else default


def _sendable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode("utf-8")


def _day(text: str) -> str:
    try:
        found = parse_date(text)
    except ValueError:
        return ""
    # The day after the last one cannot be represented.
    return found.isoformat() if found and 1 < found.year < 9999 else ""


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
