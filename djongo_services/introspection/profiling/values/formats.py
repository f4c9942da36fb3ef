"""What a string can be recognised as, by expressions that the server evaluates."""

from __future__ import annotations

from collections.abc import Mapping

_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?"
_HEX = "[0-9a-fA-F]"
_IPV4 = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}"
_GROUPS = rf"{_HEX}{{1,4}}(?::{_HEX}{{1,4}})"

PATTERNS: Mapping[str, str] = {
    "email": r"^[^@\s\"<>]{1,64}@[^@\s\"<>.]+(?:\.[^@\s\"<>.]+)+$",
    "url": r"^(?:https?|ftps?)://[^\s/?#]+[^\s]*$",
    # With hyphens any; as 32 hex digits only where version and variant say so, for a hash has as
    # many.
    "uuid": (
        rf"^(?:{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}"
        rf"|{_HEX}{{12}}[1-8]{_HEX}{{3}}[89abAB]{_HEX}{{15}})$"
    ),
    "date": rf"^{_DATE}$",
    "datetime": rf"^{_DATE}[T ]{_TIME}(?: ?(?:Z|[+-]\d\d:?(?:\d\d)?))?$",
    "objectId": rf"^{_HEX}{{24}}$",
    # A leading zero makes it a code (a postcode, a telephone number), which no number type keeps.
    "number": r"^[+-]?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$",
    "slug": r"^(?=.*[a-z])[a-z0-9]+(?:[-_][a-z0-9]+)*$",
    "hyphenated": r"^(?=.*[a-z])[a-z0-9]+(?:[-_][a-z0-9]+)+$",
    "ip": (
        rf"^(?:{_IPV4}|{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{7}}"
        rf"|(?=.{{2,39}}$)(?:{_GROUPS}*)?::(?:{_GROUPS}*)?)$"
    ),
}
"""PCRE, as ``$regexMatch`` takes it; strings are cut to 256 characters before.

``hyphenated`` is not a format of its own: it tells slugs from plain lower-case words."""

SHARE = 0.5
"""A format that fewer strings have is not worth telling."""

_HYPHENATED_SHARE = 0.05
_SPECIFIC = ("uuid", "objectId", "date", "number", "ip", "email", "datetime")


def shares(matches: Mapping[str, int], strings: int) -> dict[str, float]:
    """The share of each format among ``strings``, the most frequent first."""
    if not strings:
        return {}
    found = {name: count / strings for name, count in matches.items()}
    hyphenated = found.pop("hyphenated", 0.0)
    kept = {name: share for name, share in found.items() if share >= SHARE}
    if hyphenated < _HYPHENATED_SHARE or any(name in kept for name in _SPECIFIC):
        kept.pop("slug", None)
    return dict(sorted(kept.items(), key=lambda item: -item[1]))


def worth_counting(matches: Mapping[str, int], strings: int) -> frozenset[str]:
    """The formats that a whole collection may still have, after a sample of ``strings`` strings.

    Half of what is told at the end, so that no sample of a usual size misses one; everything
    where the sample says too little.
    """
    if strings < 30:
        return frozenset(PATTERNS)
    kept = {name for name, count in matches.items() if count / strings >= SHARE / 2}
    return frozenset(kept | {"hyphenated"} if "slug" in kept else kept - {"hyphenated"})
