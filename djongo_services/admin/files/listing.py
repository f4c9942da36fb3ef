"""One page of a list of files, as fast at its end as at its beginning.

A page begins where the previous one ended, by an index: nothing is counted, and hardly anything is
skipped. The bounds are passed to the cursor itself (``min`` and ``max``), so that they cover all
types of ids and names. Criteria without an index (types, sizes, dates) are checked in
:data:`AT_ONCE` files at a time, and the page says that it searched no further.
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
"""The number of files that are searched for one page: about 0.1 s of the server's time."""

BY_ID: Keys = (("_id", 1),)
BY_NAME: Keys = (("filename", 1), ("uploadDate", 1))
"""The index of the GridFS specification."""
CHECKSUMS: Keys = (("metadata.sha256", 1),)
"""An index that a project may have; without it, searching for checksums reads every file."""

LENIENT: CodecOptions[Document] = CodecOptions(
    document_class=dict,
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="replace",
)
"""Whatever another driver stored can be displayed."""

_LONGEST = 600
"""The maximum size in bytes of an index's values in a URL."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListPosition:
    """The beginning of a page: ``skip`` entries after the first one with these values."""

    values: Values = ()
    """Empty: from the first entry on."""
    skip: int = 0

    @property
    def token(self) -> str:
        """The text for a URL."""
        data = bson.encode({"v": list(self.values), "n": self.skip}, codec_options=LENIENT)
        return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")

    @classmethod
    def of(cls, token: str) -> Self | None:
        """The position for a token; None for an invalid one."""
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
    """The documents with the requested projection."""
    next: ListPosition | None
    """The beginning of the next page; None at the end."""
    looked_at: int | None = None
    """The number of searched files, if the page ends before it is full because of their number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ListIndexes:
    """The indexes of the files collection that lists can use."""

    names: bool
    checksums: bool

    @classmethod
    def of(cls, files: Collection[Any]) -> Self:
        keys = {
            tuple(index["key"].items())
            for index in files.list_indexes()
            # Others exclude documents, or cannot be used as a hint.
            if not {"partialFilterExpression", "sparse", "hidden", "collation"} & index.keys()
        }
        return cls(names=BY_NAME in keys, checksums=CHECKSUMS in keys)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Range:
    """Entries of an index from ``low`` up to, but without, ``high``, in either direction."""

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
    """``fields`` is a projection, ``prefix`` the path of files documents inside the collection's.

    If ``at_once`` is None, all necessary files are searched.
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
    """The range of the whole list."""
    if keys is BY_ID:
        return _Range(keys=keys, descending=filters.order != "oldest")
    if not filters.begins:
        return _Range(keys=keys)
    low, high = filters.names()
    return _Range(keys=keys, low=(low, MinKey()), high=(high, MinKey()))


def _edge(
    files: Collection[Any], whole: _Range, place: ListPosition, at_once: int
) -> Values | None:
    """The entry at which the search stops; None if there are fewer entries."""
    fields = {"_id": 0, **{name: 1 for name, _ in whole.keys}}
    for document in whole.find(files, {}, fields, skip=place.skip + at_once, limit=1):
        values = tuple(document.get(name) for name, _ in whole.keys)
        # So many files with the same name and date must be searched together.
        return None if values == place.values or not _is_short(values) else values
    return None


def _behind(page: list[Document], place: ListPosition, *, descending: bool) -> ListPosition:
    """The position after the page's last document, relative to the last one whose values are short
    enough."""
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
    # Entries with the same values may begin on earlier pages.
    before = place.skip if not first and place.values == values else 0
    return ListPosition(values=values, skip=before + last - first + 1 + after)


def _short(values: list[str]) -> Document:
    return {"$cond": [{"$lte": [{"$bsonSize": {"v": values}}, _LONGEST]}, values, None]}


def _is_short(values: Values) -> bool:
    return len(bson.encode({"v": list(values)}, codec_options=LENIENT)) <= _LONGEST
