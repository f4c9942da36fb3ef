"""The name of a collection in URLs, in the log and in the history: ``alias/collection``.

A collection's name is data and may contain nearly anything; the admin's own quoting of primary keys
makes it safe for a URL, and it is never looked up in a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from djongo_services.formatting import printable, shortened

LONGEST_SHOWN = 120
"""The maximum number of characters of a name in titles, links and messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    alias: str
    """The alias of the connection."""
    collection: str

    @property
    def key(self) -> str:
        """The primary key of :class:`djongo_services.models.Collection`."""
        return f"{self.alias}/{self.collection}"

    @property
    def shown(self) -> str:
        return shown_name(self.collection)


def parse_key(key: str, aliases: Iterable[str]) -> Address | None:
    """None unless it begins with one of the aliases; of several, the longest one wins."""
    for alias in sorted(aliases, key=len, reverse=True):
        name = key.removeprefix(f"{alias}/")
        if name and name != key:
            return Address(alias=alias, collection=name)
    return None


def shown_name(name: str) -> str:
    """A name for display: on one line, without characters that affect the surrounding text."""
    return shortened(printable(name), LONGEST_SHOWN)
