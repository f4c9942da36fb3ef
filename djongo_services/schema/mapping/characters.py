"""Sets of characters as Python's ``re`` defines them, for the server's PCRE.

Both agree on ASCII. Beyond it they differ: ``\\w`` and ``\\d`` are Unicode in Python and ASCII in
PCRE, whose Unicode tables have another version anyway, and so does caseless comparison. Such a set
is *fuzzy*: only Python knows which characters beyond ASCII it contains.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ASCII = 0x80
LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)

_DIGITS = frozenset(range(0x30, 0x3A))
_WORD = _DIGITS | frozenset(range(0x41, 0x5B)) | frozenset(range(0x61, 0x7B)) | {0x5F}
_SPACE = frozenset({*range(0x09, 0x0E), 0x20})
_UNICODE_SPACE = _SPACE | frozenset(range(0x1C, 0x20))
_FOREIGN_SPACE = (
    *((0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)),
)
# What Python treats as equal to an ASCII letter when case is ignored (documentation of
# re.IGNORECASE).
_EQUAL_TO_ASCII = {0x130: "iI", 0x131: "iI", 0x17F: "sS", 0x212A: "kK"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Characters:
    ascii: frozenset[int]
    beyond: tuple[tuple[int, int], ...] = ()
    """Ranges of code points from 0x80 on, both ends included."""
    fuzzy: bool = False

    def __or__(self, other: Characters) -> Characters:
        return Characters(
            ascii=self.ascii | other.ascii,
            beyond=self.beyond + other.beyond,
            fuzzy=self.fuzzy or other.fuzzy,
        )

    def inverted(self) -> Characters:
        ascii_part = frozenset(range(ASCII)) - self.ascii
        beyond = () if self.fuzzy else tuple(_gaps(self.beyond))
        return Characters(ascii=ascii_part, beyond=beyond, fuzzy=self.fuzzy)

    def ignoring_case(self, *, ascii_only: bool) -> Characters:
        """The set with all characters that Python treats as equal; beyond ASCII only Python knows
        them."""
        cased = {case for code in self.ascii for case in _cases(chr(code))}
        if ascii_only:
            return Characters(
                ascii=frozenset(map(ord, cased)), beyond=self.beyond, fuzzy=self.fuzzy
            )
        equal = {
            letter
            for code, letters in _EQUAL_TO_ASCII.items()
            if any(low <= code <= high for low, high in self.beyond)
            for letter in letters
        }
        foreign = tuple(
            (code, code) for code, letters in _EQUAL_TO_ASCII.items() if cased & set(letters)
        )
        return Characters(
            ascii=frozenset(map(ord, cased | equal)),
            beyond=self.beyond + foreign,
            fuzzy=self.fuzzy or bool(self.beyond),
        )

    def pattern(self, *, wide: bool) -> str:
        """A class of PCRE; a fuzzy one is a little too wide or a little too narrow, as
        requested."""
        beyond = self.beyond
        if self.fuzzy:
            beyond = ((ASCII, LAST),) if wide else ()
        ranges = [*_ranges(self.ascii), *_joined(beyond)]
        match ranges:
            case []:
                return "(?!)"
            case [(low, high)] if low == high:
                return _code(low)
        return "[" + "".join(_written(low, high) for low, high in ranges) + "]"


def literal(code: int) -> Characters:
    return between(code, code)


def between(low: int, high: int) -> Characters:
    """All characters between two code points, inclusive. ValueError for lone surrogates."""
    if low in _SURROGATES or high in _SURROGATES:
        raise ValueError("lone surrogates, which no string in the database can have")
    ascii_part = frozenset(range(low, min(high, ASCII - 1) + 1))
    beyond = ((max(low, ASCII), high),) if high >= ASCII else ()
    return Characters(ascii=ascii_part, beyond=beyond)


def category(name: str, *, ascii_only: bool) -> Characters:
    """The characters of ``digit``, ``word`` or ``space``."""
    if name == "space" and not ascii_only:
        return Characters(ascii=_UNICODE_SPACE, beyond=_FOREIGN_SPACE)
    found = {"digit": _DIGITS, "word": _WORD, "space": _SPACE}[name]
    return Characters(ascii=found, fuzzy=not ascii_only)


def _cases(character: str) -> set[str]:
    return {character, character.lower(), character.upper()}


def _ranges(codes: frozenset[int]) -> Iterable[tuple[int, int]]:
    start = None
    for code in range(ASCII + 1):
        if code in codes:
            start = code if start is None else start
        elif start is not None:
            yield start, code - 1
            start = None


def _joined(ranges: tuple[tuple[int, int], ...]) -> Iterable[tuple[int, int]]:
    """The ranges in order, without overlaps."""
    start, end = -1, -2
    for low, high in sorted(ranges):
        if low > end + 1:
            if start >= 0:
                yield start, end
            start, end = low, high
        end = max(end, high)
    if start >= 0:
        yield start, end


def _gaps(ranges: tuple[tuple[int, int], ...]) -> Iterable[tuple[int, int]]:
    next_free = ASCII
    for low, high in _joined(ranges):
        if low > next_free:
            yield next_free, low - 1
        next_free = high + 1
    if next_free <= LAST:
        yield next_free, LAST


def _written(low: int, high: int) -> str:
    match high - low:
        case 0:
            return _code(low)
        case 1:
            return _code(low) + _code(high)
    return f"{_code(low)}-{_code(high)}"


def _code(code: int) -> str:
    character = chr(code)
    if character.isascii() and character.isprintable():
        # PCRE treats any punctuation after a backslash as itself.
        return character if character.isalnum() else f"\\{character}"
    return f"\\x{{{code:x}}}"
