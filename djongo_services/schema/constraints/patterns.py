"""Regular expressions of Python's ``re`` as MongoDB's PCRE reads them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from djongo_services.schema.constraints.refusal import NotExpressible

_PIECES = re.compile(
    r"""
    \\u[0-9a-fA-F]{4} | \\U[0-9a-fA-F]{8} | \\.  # one character
    | \(\?[aiLmsux]+(?:-[imsx]+)?[:)]            # flags
    | \{,\d*\}                                   # a repetition from zero
    | \[:                                        # a class of POSIX in a set
    | \[\^?\]?                                   # a set begins
    | .
    """,
    re.DOTALL | re.VERBOSE,
)
_UNICODE_CLASSES = {r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", r"\b", r"\B"}


def pcre(pattern: str, *, ignore_case: bool = False) -> str:
    """``pattern`` so that PCRE finds what ``re.search`` finds.

    ``\\w``, ``\\d``, ``\\s`` and ``\\b`` know Unicode in Python, and in PCRE only after ``(*UCP)``;
    ``\\Z`` is the very end in Python, which PCRE writes ``\\z``. Raises NotExpressible for what
    is no regular expression of Python, for flags that PCRE lacks and for a NUL, which BSON's
    patterns cannot hold.
    """
    if "\0" in pattern:
        raise NotExpressible("a pattern with a NUL character cannot be stored")
    try:
        with warnings.catch_warnings():
            # What Python may read otherwise one day is refused or meant as today.
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
    except re.error as error:
        raise NotExpressible(f"{pattern!r} is not a regular expression: {error}") from None
    pieces = _PIECES.findall(pattern)
    translated = "".join(_translated(pieces))
    unicode_matters = ignore_case or not _UNICODE_CLASSES.isdisjoint(pieces)
    return f"(*UCP){translated}" if unicode_matters else translated


def literal(text: str) -> str:
    """A pattern that finds ``text`` itself."""
    if "\0" in text:
        raise NotExpressible("a pattern with a NUL character cannot be stored")
    return re.escape(text)


def _translated(pieces: list[str]) -> Iterator[str]:
    in_set = False
    for piece in pieces:
        if piece.startswith("\\") or piece == "[:":
            yield _translate(piece)
        elif in_set:
            in_set = piece[-1] != "]"
            yield piece
        else:
            in_set = piece.startswith("[")
            yield _translate(piece)


def _translate(piece: str) -> str:
    if piece.startswith("{,"):
        # For PCRE these are the characters themselves.
        return f"{{0{piece[1:]}"
    if piece[:2] in (r"\u", r"\U"):
        return rf"\x{{{piece[2:]}}}"
    if piece == "[:":
        raise NotExpressible("MongoDB reads [: in a regular expression as a class of characters")
    if piece == r"\Z":
        return r"\z"
    if piece.startswith("(?") and len(piece) > 2:
        flags = piece[2:-1].partition("-")[0]
        if set(flags) & set("aL"):
            raise NotExpressible(f"MongoDB has no flags {piece[2:-1]!r} in a regular expression")
        return piece.replace("u", "", 1) if "u" in flags and len(flags) > 1 else _plain(piece)
    return piece


def _plain(piece: str) -> str:
    # Unicode is what PCRE does here anyway.
    return {"(?u)": "", "(?u:": "(?:"}.get(piece, piece)
