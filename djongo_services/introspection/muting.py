"""Muted warnings, which users know and do not want to see."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from djongo_services.introspection.report import Finding

CODES: Final = (
    "mixed-types",
    "near-missing",
    "unbounded-array",
    "deep-nesting",
    "number-as-string",
    "date-as-string",
    "index-without-data",
    "redundant-index",
    "reference-without-index",
    "dangling-reference",
    "validator-violations",
    "validator-off",
    "corrupt-index",
    "ttl-without-dates",
    "unreadable",
)
"""The codes of all warnings."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mute:
    """The warnings that are not shown: those with a code, at some paths, or both."""

    code: str | None = None
    pattern: str | None = None
    """A pattern with ``*`` and ``?``, for a path (``*id_str``) or for collection and path
    (``tweets.*``); for warnings about indexes, the path is the name of the index."""

    def matches(self, collection: str, warning: Finding) -> bool:
        if self.code is not None and self.code != warning.code:
            return False
        if self.pattern is None:
            return True
        paths = warning.paths or (warning.path or "",)
        pattern = wildcard(self.pattern)
        return all(
            pattern.fullmatch(path) or pattern.fullmatch(f"{collection}.{path}") for path in paths
        )


def parse_mute(text: str) -> Mute:
    """``number-as-string``, ``*id_str`` or ``number-as-string:tweets.*``.

    Raises ValueError, with a sentence, for an empty text and for a code that seems to be
    misspelled.
    """
    code, colon, pattern = text.partition(":")
    if text in CODES:
        return Mute(code=text)
    if colon and code in CODES and pattern:
        return Mute(code=code, pattern=pattern)
    if not text.strip():
        raise ValueError(
            "A warning to mute must be a code, a path or a pattern, not an empty string."
        )
    close = difflib.get_close_matches(code, CODES, n=1, cutoff=0.85)
    if close:
        raise ValueError(f"There is no warning {code!r}; did you mean {close[0]!r}?")
    return Mute(pattern=text)


def parse_mutes(texts: Iterable[str]) -> tuple[Mute, ...]:
    """Raises ValueError, with a sentence."""
    return tuple(parse_mute(text) for text in texts)


def audible(
    collection: str, warnings: Iterable[Finding], mutes: Sequence[Mute]
) -> tuple[list[Finding], int]:
    """The warnings that are shown, and the number of the muted ones."""
    every = list(warnings)
    shown = [one for one in every if not any(mute.matches(collection, one) for mute in mutes)]
    return shown, len(every) - len(shown)


@lru_cache(maxsize=256)
def wildcard(pattern: str) -> re.Pattern[str]:
    """A pattern for a text with ``*`` and ``?``. It does not use fnmatch, for which ``[]`` in a
    path has a meaning."""
    parts = (re.escape(part) for part in re.split(r"([*?])", pattern))
    text = "".join({r"\*": ".*", r"\?": "."}.get(part, part) for part in parts)
    return re.compile(text, re.DOTALL)
