"""From a request and the facts about a file to the response, in the order of RFC 9110, 13.2.2."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import bson
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date, parse_etags

from djongo_services.storage.bucket.file import StoredFile
from djongo_services.storage.serving import policy
from djongo_services.storage.serving.byteranges import (
    ByteRange,
    Content,
    partial,
    wanted_ranges,
    whole,
)

_GZIP = re.compile(r"\bgzip\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Representation:
    """A file as clients receive it."""

    name: str
    size: int
    """Bytes of the whole content."""
    etag: str
    """A strong validator, in quotes."""
    last_modified: int
    """Whole seconds since 1970."""
    content_type: str = policy.UNKNOWN
    inline_types: Collection[str] | None = None
    """Types that browsers may show; None: the default."""
    cache_control: str = ""
    """The Cache-Control header; empty: caches revalidate each time, and private files are not
    kept."""
    random_access: bool = True
    """Whether a range can be read without everything before it."""
    is_private: bool = False
    """Whether access is restricted, so that no shared cache may keep it."""


def answer(request: HttpRequest, found: Representation) -> HttpResponse | Content:
    """The response to a GET or HEAD, or the content that is to be read for it.

    =========================================  ========================
    If-Match, If-Unmodified-Since              412 when they fail
    If-None-Match, If-Modified-Since           304 when they fail
    HEAD                                       200 without content
    Range, if If-Range does not say that the   206; 416 when nothing of
    client's part is of another state          it is in the file
    anything else                              200
    =========================================  ========================
    """
    response = _without_content(found)
    conditional = get_conditional_response(
        request, etag=found.etag, last_modified=found.last_modified, response=response
    )
    if conditional is not None and conditional is not response:
        # Browsers apply the headers of a 304 to what they cached: without its own policy, the file
        # would get the site's from a middleware.
        for name in ("Content-Security-Policy", "X-Content-Type-Options"):
            conditional.headers[name] = response.headers[name]
        return conditional
    if request.method == "HEAD":
        response.headers["Content-Length"] = str(found.size)
        return response
    ranges = _ranges(request, found)
    if ranges == []:
        return _unsatisfiable(found.size)
    if ranges is None:
        return _with(whole(found.size), response)
    content = _with(partial(ranges, found.size, found.content_type), response)
    if _GZIP.search(request.META.get("HTTP_ACCEPT_ENCODING", "")):
        # Otherwise GZipMiddleware would compress the part, and clients could not combine it with
        # the rest.
        content.headers["Content-Encoding"] = "identity"
    return content


def _without_content(found: Representation) -> HttpResponse:
    inline = policy.is_inline(found.content_type, found.inline_types)
    response = HttpResponse(content_type=found.content_type)
    response.headers["Content-Disposition"] = policy.content_disposition(found.name, inline=inline)
    security = policy.security_policy(found.content_type, inline=inline)
    response.headers["Content-Security-Policy"] = security
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["ETag"] = found.etag
    response.headers["Last-Modified"] = http_date(found.last_modified)
    response.headers["Accept-Ranges"] = "bytes"
    chosen = found.cache_control or ("no-store" if found.is_private else "no-cache")
    response.headers["Cache-Control"] = chosen
    if found.is_private:
        patch_cache_control(response, private=True)
    return response


def _ranges(request: HttpRequest, found: Representation) -> list[ByteRange] | None:
    asked = request.META.get("HTTP_RANGE")
    if asked is None:
        return None
    condition = request.META.get("HTTP_IF_RANGE")
    if condition is not None and not if_range_holds(condition, found.etag, found.last_modified):
        return None
    ranges = wanted_ranges(asked, found.size)
    if ranges is not None and len(ranges) > 1 and not found.random_access:
        return None  # Each range would be read from the beginning; so send the whole file.
    return ranges


def _unsatisfiable(size: int) -> HttpResponse:
    headers = {
        "Content-Range": f"bytes */{size}",
        "Content-Length": "0",
        "Accept-Ranges": "bytes",
    }
    return HttpResponse(status=416, content_type="text/plain", headers=headers)


def _with(content: Content, response: HttpResponse) -> Content:
    return replace(content, headers={**dict(response.items()), **content.headers})


# When a request ends, its uploads end too, including those that no form ever saw.
_CHECKSUM = re.compile(r"[0-9a-f]{64}")


def etag_of(file: StoredFile) -> str:
    """A strong validator, from the checksum of the bytes.

    A file without a checksum, which another tool stored, is identified by its id, date and length:
    what is stored under one id never changes.
    """
    checksum = checksum_of(file)
    if checksum is None:
        identity = {"_id": file.id, "uploadDate": file.upload_date, "length": file.length}
        checksum = hashlib.sha256(bson.encode(identity)).hexdigest()
    return f'"{checksum}"'


def checksum_of(file: StoredFile) -> str | None:
    """The SHA-256 of the bytes in the chunks, in lower case; None unless it is well-formed."""
    found = (file.sha256 or "").lower()
    return found if _CHECKSUM.fullmatch(found) else None


def content_checksum_of(file: StoredFile) -> str | None:
    """The checksum of the content; None if codecs encoded it."""
    return None if file.metadata.get("codecs") else checksum_of(file)


def last_modified_of(file: StoredFile, now: float) -> int:
    """The date in whole seconds since 1970, but at most ``now``: a file's date may be from a clock
    that is ahead."""
    return min(int(file.upload_date.timestamp()), int(now))


def if_range_holds(header: str, etag: str, last_modified: int) -> bool:
    """Whether the client's part belongs to the current file, so that a range completes it.

    This uses the strong comparison: a weak tag never matches, and a date only if it is identical.
    """
    header = header.strip()
    if header.startswith(('"', "W/")):
        return parse_etags(header) == [etag]
    return header == http_date(last_modified)
