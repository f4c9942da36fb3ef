"""One page of a list of files, as fast at its end as at its beginning.

A page begins where the one before ended, by an index: nothing is counted, and hardly anything is
skipped. The bounds are given to the cursor itself (``min`` and ``max``), so that they hold across
all types that an id or a name may have. What no index can tell (types, sizes, dates) is looked for
in :data:`AT_ONCE` files at a time, and the page says that it looked no further.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import bson
from bson import MinKey
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from pymongo.collection import Collection
from pymongo.cursor import Cursor

from djongo_services.admin.files.filters import Filters

Document = dict[str, Any]
Keys = tuple[tuple[str, int], ...]
Values = tuple[Any, ...]

PER_PAGE = 100
AT_ONCE = 50_000
"""Files that are looked at for one page: about 0.1 s of the server's time."""

BY_ID: Keys = (("_id", 1),)
BY_NAME: Keys = (("filename", 1), ("uploadDate", 1))
"""The index of the GridFS specification."""
CHECKSUMS: Keys = (("metadata.sha256", 1),)
"""An index that a project may have; without it, checksums are searched for file by file."""

LENIENT: CodecOptions[Document] = CodecOptions(
    document_class=dict,
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
"""Nothing that another driver stored fails to be shown."""

_LONGEST = 600
"""Bytes of an index's values that a URL can carry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListPosition:
    """Where a page begins: behind ``skip`` entries from the one with these values on."""

    values: Values = ()
    """Empty: from the first entry on."""
    skip: int = 0

    @property
    def token(self) -> str:
        """For a URL."""
        data = bson.encode({"v": list(self.values), "n": self.skip}, codec_options=LENIENT)
        return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")

    @classmethod
    def of(cls, token: str) -> Self | None:
        """None for what :attr:`token` never was."""
        try:
            data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            found = bson.decode(data, codec_options=LENIENT)
        except (ValueError, binascii.Error, BSONError, OverflowError):
            return None
        values, skip = found.get("v"), found.get("n")
        if isinstance(skip, bool) or not isinstance(skip, int) or not 0 <= skip < 1 << 31:
            return None
        return cls(values=tuple(values), skip=skip) if isinstance(values, list) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedFiles:
    documents: list[Document]
    """With the projection that was asked for."""
    next: ListPosition | None
    """Where the next page begins; None at the end."""
    looked_at: int | None = None
    """Files, where the page ends before it is full because it has looked at so many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListIndexes:
    """Those of the files that lists can use."""

    names: bool
    checksums: bool

    @classmethod
    def of(cls, files: Collection[Any]) -> Self:
        keys = {
            tuple(index["key"].items())
            for index in files.list_indexes()
            # Others leave documents out, or cannot be named in a hint.
            if not {"partialFilterExpression", "sparse", "hidden", "collation"} & index.keys()
        }
        return cls(names=BY_NAME in keys, checksums=CHECKSUMS in keys)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Range:
    """Entries of an index from ``low`` up to, not including, ``high``, in either direction."""

    keys: Keys
    low: Values | None = None
    high: Values | None = None
    descending: bool = False

    def find(
        self, files: Collection[Any], query: Mapping[str, Any], fields: Any, **options: Any
    ) -> Cursor[Any]:
        order = [(name, -1 if self.descending else 1) for name, _ in self.keys]
        found = files.find(query, fields, sort=order, hint=list(self.keys), **options)
        if self.low is not None:
            found = found.min(self._bound(self.low))
        return found if self.high is None else found.max(self._bound(self.high))

    def beginning_at(self, values: Values) -> _Range:
        return replace(self, high=values) if self.descending else replace(self, low=values)

    def ending_at(self, values: Values) -> _Range:
        return replace(self, low=values) if self.descending else replace(self, high=values)

    def _bound(self, values: Values) -> list[tuple[str, Any]]:
        return [(name, value) for (name, _), value in zip(self.keys, values, strict=True)]


def list_files(
    files: Collection[Any],
    filters: Filters,
    fields: Mapping[str, Any],
    *,
    indexes: ListIndexes,
    place: ListPosition | None = None,
    prefix: str = "",
    per_page: int = PER_PAGE,
    at_once: int | None = AT_ONCE,
) -> ListedFiles:
    """``fields``: a projection. ``prefix``: of the files documents inside of the collection's.

    ``at_once`` None: look at all files that it takes.
    """
    by_name = filters.by_name and indexes.names and not prefix
    keys = BY_NAME if by_name else BY_ID
    query = filters.conditions(prefix, names=not by_name)
    shown = {**fields, "at": _short([f"${name}" for name, _ in keys])}
    if filters.checksum and indexes.checksums and not prefix:
        return ListedFiles(documents=list(files.find(query, shown, limit=per_page)), next=None)
    place = place if place and len(place.values) in (0, len(keys)) else ListPosition()
    whole = _whole(filters, keys)
    if place.values:
        whole = whole.beginning_at(place.values)
    edge = None
    if query and at_once is not None:
        edge = _edge(files, whole, place, at_once)
    wanted = whole if edge is None else whole.ending_at(edge)
    found = list(wanted.find(files, query, shown, skip=place.skip, limit=per_page + 1))
    page = found[:per_page]
    if len(found) > per_page:
        return ListedFiles(documents=page, next=_behind(page, place, descending=whole.descending))
    if edge is not None:
        return ListedFiles(documents=page, next=ListPosition(values=edge), looked_at=at_once)
    return ListedFiles(documents=page, next=None)


def _whole(filters: Filters, keys: Keys) -> _Range:
    """All that the list has."""
    if keys is BY_ID:
        return _Range(keys=keys, descending=filters.order != "oldest")
    if not filters.begins:
        return _Range(keys=keys)
    low, high = filters.names()
    return _Range(keys=keys, low=(low, MinKey()), high=(high, MinKey()))


def _edge(
    files: Collection[Any], whole: _Range, place: ListPosition, at_once: int
) -> Values | None:
    """The entry that is not looked at any more; None where there are not so many."""
    fields = {"_id": 0, **{name: 1 for name, _ in whole.keys}}
    for document in whole.find(files, {}, fields, skip=place.skip + at_once, limit=1):
        values = tuple(document.get(name) for name, _ in whole.keys)
        # So many files of one name and one date have to be looked at together.
        return None if values == place.values or not _is_short(values) else values
    return None


def _behind(page: list[Document], place: ListPosition, *, descending: bool) -> ListPosition:
    """Behind the page's last document, told from the last one whose values are short enough."""
    last = next((at for at in reversed(range(len(page))) if page[at]["at"] is not None), None)
    if last is None:
        return ListPosition(values=place.values, skip=place.skip + len(page))
    values = tuple(page[last]["at"])
    after = len(page) - 1 - last
    if descending:
        return ListPosition(values=values, skip=after)
    first = last
    while first and page[first - 1]["at"] == page[last]["at"]:
        first -= 1
    # Those of the same values may have begun on pages before.
    before = place.skip if not first and place.values == values else 0
    return ListPosition(values=values, skip=before + last - first + 1 + after)


def _short(values: list[str]) -> Document:
    return {"$cond": [{"$lte": [{"$bsonSize": {"v": values}}, _LONGEST]}, values, None]}


def _is_short(values: Values) -> bool:
    return len(bson.encode({"v": list(values)}, codec_options=LENIENT)) <= _LONGEST
