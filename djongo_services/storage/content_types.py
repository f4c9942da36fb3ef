"""Which content type is kept with a file."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from typing import Any, TypeAlias

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

UNKNOWN = "application/octet-stream"
HEAD = 4_096
"""First bytes that are enough to recognise a format."""

POLICIES = ("name", "declared", "content")

Policy: TypeAlias = str
"""``name`` (by its ending), ``declared`` (as the uploader says), ``content`` (by its first bytes),
or the dotted path of a function ``(name, content, head) -> str``."""


def content_type_of(policy: Policy, name: str, content: Any, head: bytes) -> str:
    """``head`` are the first bytes, at least :data:`HEAD` of them where there are so many."""
    match policy:
        case "name":
            return by_name(name)
        case "declared":
            declared = getattr(content, "content_type", None)
            return declared if isinstance(declared, str) and declared else by_name(name)
        case "content":
            return sniffed(head, name)
    chosen: Callable[[str, Any, bytes], str] = import_string(policy)
    return chosen(name, content, head)


def by_name(name: str) -> str:
    found, encoding = mimetypes.guess_type(name, strict=False)
    # A compressed file is what it is, not what would come out of it.
    return found if found and encoding is None else UNKNOWN


def sniffed(head: bytes, name: str) -> str:
    """What the bytes say, which nobody can lie about; text has no signature, so its name decides.

    A name that claims a format whose signature is not there is not believed.
    """
    puremagic = sniffer()
    try:
        found: str = puremagic.from_string(head, mime=True)
    except (puremagic.PureError, ValueError):
        found = ""
    if found:
        return found
    named = by_name(name)
    return named if named.startswith("text/") and _is_text(head) else UNKNOWN


def sniffer() -> Any:
    try:
        import puremagic
    except ImportError as error:
        raise ImproperlyConfigured(
            "Recognising content needs the package puremagic: "
            "pip install 'djongo-services[uploads]'."
        ) from error
    return puremagic


def _is_text(head: bytes) -> bool:
    try:
        head[: HEAD - 3].decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the cut went through is no objection.
        return error.start > len(head[: HEAD - 3]) - 4
    return b"\0" not in head
