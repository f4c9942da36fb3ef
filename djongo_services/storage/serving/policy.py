"""What a browser may do with a file: display it, or only save it."""

from __future__ import annotations

import mimetypes
import re
import unicodedata
from collections.abc import Collection

from django.utils.http import content_disposition_header

UNKNOWN = "application/octet-stream"

DEFAULT_INLINE_TYPES = frozenset(
    {
        "image/avif",
        "image/bmp",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/vnd.microsoft.icon",
        "image/webp",
        "image/x-icon",
        "text/plain",
    }
)
"""Types that browsers display. Audio and video are not among them: they play in the project's pages
in any case, and opened by themselves they need more than the sandbox allows."""

SANDBOX = "sandbox; default-src 'none'"
"""The Content-Security-Policy of a file: it runs nothing, loads nothing, and has no access to the
site."""

_PLAYER = "default-src 'none'; media-src 'self'; object-src 'self'; style-src 'unsafe-inline'"
"""The policy of files that browsers show in a page of their own, which does not work in a sandbox.
It still allows no scripts."""

_PLAYED = re.compile(r"(audio|video)/.*|application/pdf")

_ACTIVE_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/hta",
        "application/javascript",
        "application/x-ecmascript",
        "application/x-javascript",
        "application/x-shockwave-flash",
        "application/xml",
        "application/xml-dtd",
        "application/xml-external-parsed-entity",
        "message/rfc822",
        "text/html",
        "text/xml",
        "text/xml-external-parsed-entity",
        "text/xsl",
    }
)
_ACTIVE = re.compile(r"multipart/.*|.*\+xml|text/.*(java|ecma|j|live)script.*|text/x-component")

_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_TYPE = re.compile(f"{_WORD}/{_WORD}")
_PARAMETERS = re.compile(rf'(?:[ \t]*;[ \t]*{_WORD}=(?:{_WORD}|"[\t !#-\[\]-~]*"))*')
_LONGEST = 255

_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_ENCODED_TYPES = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip2",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}
"""A compressed file is sent as such; otherwise browsers would unpack it and save it under a wrong
name."""


def content_type_of(declared: str, name: str) -> str:
    """The declared type if it is well-formed, otherwise the one that the name suggests."""
    essence, semicolon, rest = declared.partition(";")
    essence = essence.strip().lower()
    if len(declared) <= _LONGEST and _TYPE.fullmatch(essence):
        parameters = semicolon + rest.rstrip()
        return essence + (parameters if _PARAMETERS.fullmatch(parameters) else "")
    guessed, encoding = mimetypes.guess_type(name)
    if encoding is not None:
        return _ENCODED_TYPES.get(encoding, UNKNOWN)
    return guessed or UNKNOWN


def is_inline(content_type: str, allowed: Collection[str] | None = None) -> bool:
    """Whether browsers may display it; ``allowed`` None: the default types.

    Types that can run scripts are never displayed, whatever is allowed.
    """
    essence = content_type.partition(";")[0].strip().lower()
    if essence in _ACTIVE_TYPES or _ACTIVE.fullmatch(essence):
        return False
    return essence in (DEFAULT_INLINE_TYPES if allowed is None else allowed)


def security_policy(content_type: str, *, inline: bool) -> str:
    """The Content-Security-Policy: the sandbox, unless the project allows types that need a
    player."""
    essence = content_type.partition(";")[0].strip().lower()
    return _PLAYER if inline and _PLAYED.fullmatch(essence) else SANDBOX


def content_disposition(name: str, *, inline: bool) -> str:
    """The header, with the last part of ``name`` as the file's name, in the form of RFC 6266."""
    header = content_disposition_header(not inline, safe_filename(name))
    assert header is not None  # There is always a name.
    return header


def safe_filename(name: str) -> str:
    """A name that is safe in a dialog: without folders, control characters, and characters that
    turn the writing direction, with which ``gpj.exe`` reads as ``exe.jpg``."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join("_" if _is_misleading(each) else each for each in last).strip(" .") or "file"


def _is_misleading(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind in ("Cc", "Cs", "Zl", "Zp") or character in _DIRECTIONS
