"""From a request and what is known of a file to the answer, in the order of RFC 9110, 13.2.2."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.http import http_date

from djongo_services.storage.serving import policy
from djongo_services.storage.serving.byteranges import ByteRange, wanted_ranges
from djongo_services.storage.serving.content import Content, partial, whole
from djongo_services.storage.serving.validators import if_range_holds

_GZIP = re.compile(r"\bgzip\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class Representation:
    """A file as clients may get it."""

    name: str
    size: int
    """Bytes of the whole content."""
    etag: str
    """Strong, in its quotes."""
    last_modified: int
    """Whole seconds since 1970."""
    content_type: str = policy.UNKNOWN
    inline_types: Collection[str] | None = None
    """What browsers may show; None: the default."""
    cache_control: str = ""
    """Empty: caches ask again each time, and keep nothing that is private."""
    is_private: bool = False
    """Not everybody may have it, so no shared cache may keep it."""


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
        # Browsers take the headers of a 304 for those of what they kept: without its own policy,
        # the file would get the site's from a middleware.
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
        # Or GZipMiddleware would compress the part, and no client could fit it into the rest.
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
    return wanted_ranges(asked, found.size)


def _unsatisfiable(size: int) -> HttpResponse:
    headers = {
        "Content-Range": f"bytes */{size}",
        "Content-Length": "0",
        "Accept-Ranges": "bytes",
    }
    return HttpResponse(status=416, content_type="text/plain", headers=headers)


def _with(content: Content, response: HttpResponse) -> Content:
    return replace(content, headers={**dict(response.items()), **content.headers})
