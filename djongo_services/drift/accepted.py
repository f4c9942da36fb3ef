"""The file of accepted differences: one per line, for version control.

::

    # sign  kind  collection  subject  detail       # why
    +       field books       isbn13                # since the import of May
    +       type  books       price    string       # until the importer is mended
    ~       *     "odd name"  *

``*`` matches anything, also within a word (``tmp_*``), and ``?`` matches one character; a text in
quotes is a JSON string and is taken literally. Parts that are left out at the end match anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, get_args

from djongo_services.drift.comparison import Comparison, Difference, Kind
from djongo_services.drift.words import change
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import count
from djongo_services.introspection.muting import wildcard
from djongo_services.translation import gettext as _

_TOKEN: Final = re.compile(
    r'\s*(?:#(?P<comment>.*)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]+))'
)
_BARE: Final = re.compile(r"[^\s\"#*?\\][^\s\"*?\\]*", re.ASCII)
_SIGNS: Final = ("+", "~", "-", "*")
_MOST: Final = 5
"""Sign, kind, collection, subject and detail."""
_LEAST: Final = 3

HEADER: Final = (
    "# Accepted differences of inspectmongo: sign, kind, collection, subject, detail  # why\n"
)


class AcceptedUnreadable(DjongoServicesError):
    """A line of the file of accepted differences cannot be understood."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A text that is taken literally."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """A line of the file."""

    number: int
    text: str
    words: tuple[str | Literal, ...]
    comment: str = ""

    def matches(self, difference: Difference) -> bool:
        return all(
            _matches(word, value)
            for word, value in zip(self.words, _values(difference), strict=False)
        )

    @property
    def exactly(self) -> tuple[str, ...] | None:
        """The words of the line if each is literal; None if one is a pattern."""
        found = []
        for word in self.words:
            text = word.text if isinstance(word, Literal) else word
            if not isinstance(word, Literal) and set("*?") & set(text):
                return None
            found.append(text)
        return tuple(found)


def parse_accepted(text: str) -> tuple[Acceptance, ...]:
    """Raises AcceptedUnreadable, with a sentence that names the line."""
    lines = enumerate(text.removeprefix("\ufeff").splitlines(), 1)
    return tuple(found for number, line in lines if (found := _parse(number, line)) is not None)


def with_accepted(comparison: Comparison, acceptances: Sequence[Acceptance]) -> Comparison:
    """The comparison with the accepted differences marked as such, and the lines that matched
    nothing."""
    book = _Book.of(acceptances)
    collections = tuple(
        replace(one, differences=tuple(book.judge(found) for found in one.differences))
        for one in comparison.collections
    )
    unused = tuple(one.text for one in acceptances if one.number not in book.used)
    return replace(comparison, collections=collections, unused=unused)


def render_accepted(comparison: Comparison) -> str:
    """Lines that accept the findings, ready to be added to the file."""
    lines = [_line(found) for found in comparison.differences() if found.counts]
    return HEADER + "".join(f"{line}\n" for line in lines)


@dataclass(slots=True)
class _Book:
    exact: dict[tuple[str, ...], Acceptance] = field(default_factory=dict)
    patterns: list[Acceptance] = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, acceptances: Iterable[Acceptance]) -> _Book:
        """Lines without patterns go into a dictionary, so that thousands of them are not slow."""
        book = cls()
        for one in acceptances:
            exactly = one.exactly
            if exactly is None or exactly in book.exact:
                book.patterns.append(one)
            else:
                book.exact[exactly] = one
        return book

    def judge(self, difference: Difference) -> Difference:
        values = _values(difference)
        beginnings = (values[:length] for length in range(_MOST, _LEAST - 1, -1))
        found = [self.exact[one] for one in beginnings if one in self.exact]
        found += [one for one in self.patterns if one.matches(difference)]
        self.used |= {one.number for one in found}
        return replace(difference, accepted=found[0].comment) if found else difference


def _values(difference: Difference) -> tuple[str, ...]:
    return (
        difference.sign,
        difference.kind,
        difference.collection,
        difference.subject,
        difference.detail,
    )


def _matches(word: str | Literal, value: str) -> bool:
    if isinstance(word, Literal):
        return word.text == value
    return wildcard(word).fullmatch(value) is not None


def _parse(number: int, line: str) -> Acceptance | None:
    words: list[str | Literal] = []
    comment = ""
    for kind, text in _tokens(number, line):
        if kind == "comment":
            comment = text.strip()
        else:
            words.append(Literal(text) if kind == "quoted" else text)
    if not words:
        return None
    first, *rest = words
    if first not in _SIGNS:
        text = _("Line %(line)s: it must begin with one of %(signs)s.")
        raise _wrong(text, number, signs=" ".join(_SIGNS))
    kinds = (*get_args(Kind), "*")
    if not rest or rest[0] not in kinds:
        text = _("Line %(line)s: its second word must be one of %(kinds)s.")
        raise _wrong(text, number, kinds=", ".join(kinds))
    if len(words) < _LEAST:
        text = _("Line %(line)s: its third word must be a collection, or * for all.")
        raise _wrong(text, number)
    if len(words) > _MOST:
        text = _(
            "Line %(line)s: it has more than %(most)s words; put names with spaces into quotes."
        )
        raise _wrong(text, number, most=_MOST)
    return Acceptance(number=number, text=line.strip(), words=tuple(words), comment=comment)


def _tokens(number: int, line: str) -> Iterator[tuple[str, str]]:
    at = 0
    while line[at:].strip():
        found = _TOKEN.match(line, at)
        if found is None or found.lastgroup is None:
            raise _wrong(_("Line %(line)s: a quote in it is not closed."), number)
        at = found.end()
        text = found[found.lastgroup]
        if found.lastgroup == "quoted":
            text = _unquoted(number, text)
        yield found.lastgroup, text


def _unquoted(number: int, text: str) -> str:
    try:
        value: str = json.loads(f'"{text}"')
    except json.JSONDecodeError:
        text = _("Line %(line)s: a text in quotes must be a JSON string.")
        raise _wrong(text, number) from None
    return value


def _wrong(sentence: str, number: int, **words: Any) -> AcceptedUnreadable:
    return AcceptedUnreadable(sentence % {"line": count(number), **words})


def _line(difference: Difference) -> str:
    words = [_quoted(value) for value in _values(difference)[2:]]
    while len(words) > 1 and words[-1] == '""':
        words.pop()
    return f"{difference.sign} {difference.kind} {' '.join(words)}  # {change(difference)}"


def _quoted(text: str) -> str:
    if _BARE.fullmatch(text) and text.isascii() and text.isprintable():
        return text
    return json.dumps(text)
