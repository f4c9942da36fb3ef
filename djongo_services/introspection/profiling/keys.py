"""Keys that are data: their formats, and the bounded set of them that is remembered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

MAXIMUM_KEYS: Final = 1_000
"""Distinct keys that a map remembers: enough to tell a handful from very many, at 100 KB each."""

_LANGUAGES: Final = (
    "aa|ab|ae|af|ak|am|an|ar|as|av|ay|az|ba|be|bg|bi|bm|bn|bo|br|bs|ca|ce|ch|co|cr|cs|cu|cv|cy|da|"
    "de|dv|dz|ee|el|en|eo|es|et|eu|fa|ff|fi|fj|fo|fr|fy|ga|gd|gl|gn|gu|gv|ha|he|hi|ho|hr|ht|hu|hy|"
    "hz|ia|id|ie|ig|ii|ik|io|is|it|iu|ja|jv|ka|kg|ki|kj|kk|kl|km|kn|ko|kr|ks|ku|kv|kw|ky|la|lb|lg|"
    "li|ln|lo|lt|lu|lv|mg|mh|mi|mk|ml|mn|mr|ms|mt|my|na|nb|nd|ne|ng|nl|nn|no|nr|nv|ny|oc|oj|om|or|"
    "os|pa|pi|pl|ps|pt|qu|rm|rn|ro|ru|rw|sa|sc|sd|se|sg|si|sk|sl|sm|sn|so|sq|sr|ss|st|su|sv|sw|ta|"
    "te|tg|th|ti|tk|tl|tn|to|tr|ts|tt|tw|ty|ug|uk|ur|uz|ve|vi|vo|wa|wo|xh|yi|yo|za|zh|zu"
)
"""ISO 639-1. Three-letter codes are left out: ``age``, ``sku`` and ``zip`` look like them."""

PATTERNS: Final[dict[str, str]] = {
    "objectId": r"[0-9a-f]{24}",
    "uuid": r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "hash": r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9A-F]{32}|[0-9A-F]{40}|[0-9A-F]{64})",
    "date": r"[12][0-9]{3}-[01][0-9](?:-[0-3][0-9](?:[T ][0-9:.,+Z-]{1,24})?)?",
    "number": r"-?[0-9]{1,20}",
    "locale": rf"(?:{_LANGUAGES})(?:[-_][A-Z][a-z]{{3}})?(?:[-_](?:[A-Z]{{2}}|[0-9]{{3}}))?",
}
"""Format to a pattern that Python's ``re`` and the server's PCRE read alike. No two match the
same key, so that the format of a key never depends on what was seen before."""

_COMPILED: Final = {name: re.compile(pattern.encode("ascii")) for name, pattern in PATTERNS.items()}


def key_format(key: bytes) -> str | None:
    """The format of a key that looks like data, or None for one that reads like a name."""
    for name, pattern in _COMPILED.items():
        if pattern.fullmatch(key):
            return name
    return None


def is_utf8(key: bytes) -> bool:
    try:
        key.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@dataclass(slots=True)
class KeySet:
    """Which keys belong to a map, and those seen of them up to :data:`MAXIMUM_KEYS`."""

    formats: set[str] = field(default_factory=set)
    open: bool = False
    """Whether every key that is no field of its own belongs to it, whatever its format."""
    seen: set[bytes] = field(default_factory=set)
    more: bool = False
    """Whether there were more keys than are remembered."""

    def accepts(self, key: bytes) -> bool:
        return self.open or key_format(key) in self.formats

    def add(self, key: bytes) -> None:
        if len(self.seen) < MAXIMUM_KEYS:
            self.seen.add(key)
        elif key not in self.seen:
            self.more = True

    def widen(self, other: KeySet) -> None:
        self.formats |= other.formats
        self.open |= other.open
        self.more |= other.more
        for key in other.seen:
            self.add(key)

    @property
    def format(self) -> str:
        """As :class:`djongo_services.introspection.report.MapKeys` names it."""
        if self.open:
            return "mixed" if self.formats else "identifier"
        return next(iter(self.formats)) if len(self.formats) == 1 else "mixed"
