"""Python's regular expressions translated into those of the server (PCRE).

The expression is parsed by Python itself and rewritten with the parts that mean the same on both
sides, so that the server never refuses a string that Python accepts. If only Python knows the exact
set (characters beyond ASCII, see :mod:`.characters`), the server's pattern accepts a little more,
never less. What has no certain equivalent (back-references, conditions, atomic groups) is refused.

Measured on 4.4, 5.0 and 6.0: patterns are matched in UTF-8 mode, by code point; a match that would
recurse deeper than the server allows counts as *no match*, which happens at some 1,500 repetitions
of a group.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from djongo_services.schema.mapping import characters
from djongo_services.schema.mapping.characters import Characters

# Python's own parser; its module has a private name since 3.11.
_parser: Any = importlib.import_module("re._parser")

SAFE_LENGTH = 400
"""The number of characters up to which a repeated group stays far from the server's recursion
limit."""
MOST_REPEATS = 65_535
"""PCRE's limit of ``{n,m}``."""
LONGEST_PATTERN = 8_000
"""The maximum number of characters; PCRE accepts 32,764 bytes, and compiles a repeated part as
often as it is repeated."""


class Untranslatable(ValueError):
    """The expression contains something that the server might understand differently."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    text: str
    repeats_groups: bool = False
    """Whether very long strings can exceed the server's recursion, and fail to match."""


@functools.lru_cache(maxsize=512)
def translate(source: str, flags: int = 0, *, wide: bool = True, end: str = r"\z") -> Pattern:
    """The pattern that does on the server what ``re.search(source, ...)`` does.

    With ``wide=False`` it matches nothing that Python's does not, for use in a negation. ``end``
    replaces the end of the string (``\\Z``), for use as part of a pattern. Raises
    :class:`Untranslatable`.
    """
    parsed = _parser.parse(source, flags)
    writer = _PatternWriter()
    text = writer.sequence(parsed, _Mode(flags=parsed.state.flags, wide=wide, end=end))
    if len(text) > LONGEST_PATTERN:
        raise Untranslatable("it is too long for the server")
    return Pattern(text=text, repeats_groups=writer.repeats_groups)


@dataclass(frozen=True, slots=True)
class _Mode:
    flags: int
    wide: bool
    end: str

    @property
    def ascii_only(self) -> bool:
        return bool(self.flags & re.ASCII)

    def with_flags(self, added: int, removed: int) -> _Mode:
        return replace(self, flags=(self.flags | added) & ~removed)

    def opposite(self) -> _Mode:
        return replace(self, wide=not self.wide)


class _PatternWriter:
    def __init__(self) -> None:
        self.repeats_groups = False

    def sequence(self, parts: Iterable[tuple[Any, Any]], mode: _Mode) -> str:
        return "".join(self.part(str(name), value, mode) for name, value in parts)

    def part(self, name: str, value: Any, mode: _Mode) -> str:
        match name:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN":
                return _character(name, value, mode)
            case "AT":
                return _position(str(value), mode)
            case "BRANCH":
                branches = (self.sequence(branch, mode) for branch in value[1])
                return f"(?:{'|'.join(branches)})"
            case "SUBPATTERN":
                _, added, removed, inner = value
                return f"(?:{self.sequence(inner, mode.with_flags(added, removed))})"
            case "MAX_REPEAT" | "MIN_REPEAT":
                return self.repeat(value, mode, lazy=name == "MIN_REPEAT")
            case "ASSERT":
                direction, inner = value
                return f"(?{'<=' if direction < 0 else '='}{self.sequence(inner, mode)})"
            case "ASSERT_NOT":
                direction, inner = value
                sign = "<!" if direction < 0 else "!"
                return f"(?{sign}{self.sequence(inner, mode.opposite())})"
            case "FAILURE":
                return "(?!)"
        raise Untranslatable(f"the server may read {_WORDS.get(name, name.lower())} differently")

    def repeat(self, value: Any, mode: _Mode, *, lazy: bool) -> str:
        least, most, inner = value
        unlimited = most == _parser.MAXREPEAT
        if least > MOST_REPEATS or (not unlimited and most > MOST_REPEATS):
            raise Untranslatable("it repeats more often than the server can count")
        single = len(inner) == 1 and str(inner[0][0]) in _SINGLE
        if not single and (unlimited or most > SAFE_LENGTH):
            self.repeats_groups = True
        text = self.sequence(inner, mode)
        if len(inner) != 1 or str(inner[0][0]) not in _GROUPED:
            text = f"(?:{text})"
        return f"{text}{_times(least, None if unlimited else most)}{'?' if lazy else ''}"


def _times(least: int, most: int | None) -> str:
    match least, most:
        case 0, 1:
            return "?"
        case 0, None:
            return "*"
        case 1, None:
            return "+"
        case _, None:
            return f"{{{least},}}"
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"


_SINGLE = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN"})
_GROUPED = _SINGLE | {"SUBPATTERN", "BRANCH"}
_WORDS = {
    "GROUPREF": "a back-reference",
    "GROUPREF_EXISTS": "a condition",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repetition",
}


def _character(name: str, value: Any, mode: _Mode) -> str:
    try:
        found = _characters(name, value, mode)
    except ValueError as error:
        raise Untranslatable(f"it names {error}") from error
    return found.pattern(wide=mode.wide)


def _characters(name: str, value: Any, mode: _Mode) -> Characters:
    match name:
        case "ANY":
            everything = characters.between(0, characters.LAST)
            dot_all = bool(mode.flags & re.DOTALL)
            return everything if dot_all else characters.literal(0x0A).inverted()
        case "LITERAL":
            return _cased(characters.literal(value), mode)
        case "NOT_LITERAL":
            return _cased(characters.literal(value), mode).inverted()
    negated, found = False, Characters(ascii=frozenset())
    for kind, detail in value:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found |= _cased(characters.literal(detail), mode)
            case "RANGE":
                found |= _cased(characters.between(*detail), mode)
            case "CATEGORY":
                found |= _category(str(detail), mode)
    return found.inverted() if negated else found


def _cased(found: Characters, mode: _Mode) -> Characters:
    if not mode.flags & re.IGNORECASE:
        return found
    return found.ignoring_case(ascii_only=mode.ascii_only)


def _category(name: str, mode: _Mode) -> Characters:
    kind = name.removeprefix("CATEGORY_").lower()
    found = characters.category(kind.removeprefix("not_"), ascii_only=mode.ascii_only)
    return found.inverted() if kind.startswith("not_") else found


def _position(name: str, mode: _Mode) -> str:
    lines = bool(mode.flags & re.MULTILINE)
    match name:
        case "AT_BEGINNING":
            return r"(?:\A|(?<=\x{a}))" if lines else r"\A"
        case "AT_BEGINNING_STRING":
            return r"\A"
        case "AT_END":
            return r"(?=\x{a}|\z)" if lines else r"(?=\x{a}?\z)"
        case "AT_END_STRING":
            return mode.end
        case "AT_BOUNDARY":
            return _boundary(r"\b", mode)
        case "AT_NON_BOUNDARY":
            # In an empty string Python finds one from 3.14 on.
            return _boundary(r"\B" if mode.wide else r"\B(?!\A\z)", mode)
    raise Untranslatable("the server may read an anchor differently")


def _boundary(text: str, mode: _Mode) -> str:
    """A word boundary, exact between ASCII characters; beside any other only Python knows."""
    if mode.ascii_only:
        return text
    foreign = r"[\x{80}-\x{10ffff}]"
    if mode.wide:
        return rf"(?:{text}|(?<={foreign})|(?={foreign}))"
    return rf"(?:{text}(?<!{foreign})(?!{foreign}))"
