"""Functions of bytes that must not raise: each gives a parser what a stranger may send."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from django.core.exceptions import PermissionDenied

from djongo_services.admin.files.pictures import has_several_scans
from djongo_services.admin.files.previews import NoThumbnail, thumbnail
from djongo_services.schema.rendering import PlanFileError, load
from djongo_services.schema.serialization import PlanUnreadable, operation_from, plan_from
from djongo_services.storage.serving.byteranges import wanted_ranges
from djongo_services.storage.serving.signing import check_signature

STORAGE: Any = SimpleNamespace(using="default", bucket_name="media", location="")


def ranges(data: bytes) -> None:
    """The header Range of a request."""
    size = int.from_bytes(data[:2], "big")
    for header in (data[2:].decode("latin-1"), f"bytes={data[2:].decode('latin-1')}"):
        sent = 0
        for each in wanted_ranges(header, size) or []:
            assert 0 <= each.start < each.stop <= size
            sent += each.length
        assert sent <= size


def plans(data: bytes) -> None:
    """A file for ``syncmongoschema --from-plan``, and what history keeps of a run."""
    with suppress(PlanFileError, UnicodeDecodeError):
        load(data.decode())
    for read in (plan_from, operation_from):
        with suppress(PlanUnreadable):
            read(data)


def pictures(data: bytes) -> None:
    """A file of which the admin shows a small picture."""
    if data[4:8] == b"ftyp":
        return  # It is decoded by a process with limits.
    has_several_scans(io.BytesIO(data))
    with suppress(NoThumbnail):
        assert thumbnail(io.BytesIO(data)).startswith(b"\x89PNG")


def signatures(data: bytes) -> None:
    """The name and the signature of a link to a private file."""
    name, _, signature = data.decode("utf-8", "surrogateescape").partition("?")
    with suppress(PermissionDenied):
        check_signature(STORAGE, name, signature)
        raise AssertionError("a signature was guessed")


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each for each in (ranges, plans, pictures, signatures)
}
