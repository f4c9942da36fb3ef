"""Text from a database made safe to show: what steers a terminal is spelled out instead."""

from __future__ import annotations

import unicodedata

_SPELLED_OUT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co"})
"""Unicode categories: control, format (among them the bidirectional overrides), surrogate, line
and paragraph separator, private use."""

_JOINERS = frozenset("\u200c\u200d")
"""Zero width (non-)joiners: format characters that Persian, Hindi and emoji cannot do without."""


def printable(text: str) -> str:
    r"""``text`` on one line, with ``\n`` for a newline, ``\x1b`` for escape, ``\u202e``, ...

    A backslash that belongs to the text stays as it is: this is for eyes, not for reading back.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _SPELLED_OUT:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
