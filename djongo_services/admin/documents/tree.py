"""A readable document: nested ``<details>`` of bounded size, and Extended JSON.

Everything in the document is data: names and values are escaped, control characters are made
visible, and secrets are left out unless the user may see them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from bson import (
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.binary import UuidRepresentation
from bson.json_util import JSONMode, JSONOptions, dumps
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.fields import type_family
from djongo_services.bson_types import binary_type
from djongo_services.formatting import (
    EXTENDED_JSON,
    count,
    printable,
    shortened,
    value_text,
)
from djongo_services.introspection.masking import is_secret_value, masked_document
from djongo_services.introspection.path import ELEMENT, Path, render_path

LONGEST_JSON: Final = 100_000
"""The maximum number of characters of a document's JSON on a page; the whole can be downloaded."""
_LONGEST_NAME: Final = 120

CANONICAL: Final[JSONOptions] = JSONOptions(
    json_mode=JSONMode.CANONICAL, uuid_representation=UuidRepresentation.STANDARD
)
MODES: Final[Mapping[str, JSONOptions]] = {"relaxed": EXTENDED_JSON, "canonical": CANONICAL}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """How much of a document is displayed."""

    values: int
    """The total number of values."""
    items: int
    """The number of displayed items of an array or an embedded document."""
    depth: int
    text: int
    """The number of characters of a text."""
    open: int
    """The number of unfolded levels."""


IN_LIST: Final = Bounds(values=120, items=20, depth=6, text=200, open=0)
ALONE: Final = Bounds(values=2_000, items=200, depth=40, text=5_000, open=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """The user who reads a collection's documents."""

    collection: str
    sees_secrets: bool

    def masked(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        return document if self.sees_secrets else masked_document(document, self.collection)

    def hides(self, value: Any, path: Path) -> bool:
        return not self.sees_secrets and is_secret_value(value, path, self.collection)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    html: SafeString
    is_cut: bool
    """Whether the document has more than is displayed."""


def tree_of(document: Mapping[str, Any], reader: Reader, bounds: Bounds) -> Tree:
    builder = _TreeBuilder(reader, bounds)
    html = mark_safe("".join(builder.items(document, (), (), 0)))  # noqa: S308  (all is escaped)
    return Tree(html=html, is_cut=builder.is_cut)


def json_of(document: Mapping[str, Any], reader: Reader, mode: str) -> str:
    """The whole document in ASCII: control characters are escaped as in JSON."""
    text: str = dumps(reader.masked(document), json_options=MODES[mode], indent=2)
    return text


def key_text(value: Any, reader: Reader) -> str:
    """An ``_id`` on one line; hidden if it is a secret, or contains one."""
    if isinstance(value, Mapping):
        return value_text(reader.masked({"_id": value})["_id"], 80)
    return f"({_('hidden')})" if reader.hides(value, ("_id",)) else value_text(value, 80)


def is_hidden_key(value: Any, reader: Reader) -> bool:
    """Whether any part of an ``_id`` is a secret, so that it must not be in an address."""
    if isinstance(value, Mapping):
        return bool(reader.masked({"_id": value})["_id"] != value)
    return reader.hides(value, ("_id",))


class _TreeBuilder:
    def __init__(self, reader: Reader, bounds: Bounds) -> None:
        self._reader = reader
        self._bounds = bounds
        self._left = bounds.values
        self.is_cut = False

    def items(
        self, value: Mapping[str, Any] | list[Any], path: Path, named: Path, depth: int
    ) -> Iterator[str]:
        """The list of a document's or an array's contents. ``path`` is the one to filter by,
        ``named`` the one whose names indicate secrets: positions in arrays are not names."""
        pairs: Any = value.items() if isinstance(value, Mapping) else enumerate(value)
        yield '<ul class="mongo-tree">'
        for number, (name, each) in enumerate(pairs):
            if number == self._bounds.items or self._left <= 0:
                self.is_cut = True
                yield format_html('<li class="mongo-quiet">{}</li>', _more(len(value) - number))
                break
            self._left -= 1
            if isinstance(value, Mapping):
                inner, names = (*path, name), (*named, name)
            else:
                inner, names = (*path, ELEMENT), named
            yield "<li>"
            yield from self._item(str(name), each, inner, names, depth)
            yield "</li>"
        yield "</ul>"

    def _item(self, name: str, value: Any, path: Path, named: Path, depth: int) -> Iterator[str]:
        label = format_html(
            '<bdi class="mongo-name" title="{}">{}</bdi>',
            shortened(printable(render_path(path)), 4 * _LONGEST_NAME),
            shortened(printable(name), _LONGEST_NAME) or '""',
        )
        if isinstance(value, Mapping | list):
            yield from self._inner(label, value, path, named, depth)
            return
        kind = type_name(value)
        yield format_html(
            '{} <bdi class="mongo-value v-{}">{}</bdi> <span class="mongo-kind">{}</span>',
            label,
            type_family(kind.split(":")[0]),
            self._text(value, named),
            kind,
        )

    def _inner(
        self, label: str, value: Mapping[str, Any] | list[Any], path: Path, named: Path, depth: int
    ) -> Iterator[str]:
        told = contents(value)
        if not value:
            yield format_html('{} <span class="mongo-kind">{}</span>', label, told)
            return
        if depth + 1 >= self._bounds.depth:
            self.is_cut = True
            yield format_html('{} <span class="mongo-kind">{} …</span>', label, told)
            return
        unfolded = " open" if depth < self._bounds.open else ""
        yield f"<details{unfolded}><summary>"
        yield format_html('{} <span class="mongo-kind">{}</span>', label, told)
        yield "</summary>"
        yield from self.items(value, path, named, depth + 1)
        yield "</details>"

    def _text(self, value: Any, named: Path) -> str:
        if self._reader.hides(value, named):
            return _("hidden")
        longest = self._bounds.text
        if isinstance(value, str) and len(value) > longest:
            self.is_cut = True
            return _("%(beginning)s (%(count)s characters)") % {
                "beginning": value_text(value[:longest], longest),
                "count": count(len(value)),
            }
        return value_text(value, longest + 2)


def contents(value: Mapping[str, Any] | list[Any]) -> str:
    """``object, 3 fields``."""
    if isinstance(value, Mapping):
        text = ngettext("object, %(count)s field", "object, %(count)s fields", len(value))
    else:
        text = ngettext("array, %(count)s item", "array, %(count)s items", len(value))
    return text % {"count": count(len(value))}


def _more(number: int) -> str:
    return ngettext("%(count)s more", "%(count)s more", number) % {"count": count(number)}


def type_name(value: Any) -> str:
    """The name of the BSON type, refined as in :mod:`djongo_services.bson_types`."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case Int64():
            return "long"
        case int():
            return "int"
        case float():
            return "double"
        case Code():
            return "javascript" if value.scope is None else "javascriptWithScope"
        case str():
            return "string"
        case bytes():
            return binary_type(getattr(value, "subtype", 0))
        case _:
            return next((name for kind, name in _NAMES if isinstance(value, kind)), "date")


_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (ObjectId, "objectId"),
    (Decimal128, "decimal"),
    (DatetimeMS, "date"),
    (Timestamp, "timestamp"),
    (Regex, "regex"),
    (DBRef, "dbRef"),
    (MinKey, "minKey"),
    (MaxKey, "maxKey"),
    (UUID, "binData:uuid"),
)
