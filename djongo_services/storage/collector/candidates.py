"""What is to be collected, with all that the removal has to check again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
import bson.errors
from bson import Regex

from djongo_services.storage.collector.kinds import Kind
from djongo_services.storage.collector.order import Key, sort_key


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    kind: Kind
    id: Any
    names: tuple[str, ...] = ()
    bytes: int
    chunks: int = 0
    """Of orphan chunks."""
    since: datetime | None
    reason: str = ""

    @property
    def key(self) -> Key:
        return sort_key(self.id)

    @property
    def filename(self) -> str | None:
        return self.names[0] if self.names else None


def can_be_named(id: Any) -> bool:
    """Whether a query for the id finds it and nothing else.

    A regular expression would be taken for a pattern, a document with a dollar for an operator, an
    array for its elements; text that is no UTF-8 cannot be sent at all.
    """
    if isinstance(id, Regex | list):
        return False
    if isinstance(id, dict) and any(name.startswith("$") for name in id):
        return False
    try:
        bson.encode({"": id})
    except (bson.errors.BSONError, UnicodeEncodeError, OverflowError):
        return False
    return True


def is_sendable(name: str) -> bool:
    """Whether a filename is text that a database can be asked for."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
