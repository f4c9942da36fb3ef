"""The bytes of a file for users who may see it: previews, thumbnails and downloads.

They follow the rules of :mod:`djongo_services.storage.serving`: conditions, ranges, and the same
policy of what browsers may show. PDF is the only additional type that is shown, without scripts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import closing
from functools import partial

from django.contrib.admin.utils import quote
from django.core import signing
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.translation import gettext as _
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe
from pymongo.errors import PyMongoError

from djongo_services.admin.deadline import error_text
from djongo_services.admin.files.address import FileAddress, find_file
from djongo_services.admin.files.homes import bucket_storage
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.previews import (
    MAX_BYTES,
    NoThumbnail,
    can_make_thumbnails,
    thumbnail,
)
from djongo_services.admin.files.widget import SALT
from djongo_services.admin.pages import no_such
from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.codecs.chain import has_random_access
from djongo_services.storage.errors import StorageError
from djongo_services.storage.serving.body import FileStream, aread, read
from djongo_services.storage.serving.byteranges import Content
from djongo_services.storage.serving.conditional import (
    Representation,
    answer,
    etag_of,
    last_modified_of,
)
from djongo_services.storage.serving.policy import (
    DEFAULT_INLINE_TYPES,
    SANDBOX,
    content_type_of,
)

SHOWN_TYPES = DEFAULT_INLINE_TYPES | {"application/pdf"}
SIGNED_SECONDS = 24 * 60 * 60
"""Seconds for which a preview in a form can be seen."""
AT_ONCE = 256 * 1024
"""Content of up to this many bytes is read before it is sent."""

Form = Callable[[HttpRequest, GridFSStorage, StoredFile], HttpResponseBase]
"""The part of a file that is sent. Raises StorageError and PyMongo's errors before the first
byte."""


class RawFiles(FilePages):
    def page_urls(self) -> list[URLPattern]:
        raw = require_safe(xframe_options_sameorigin(self.raw))
        small = require_safe(self.thumbnail)
        download = require_safe(self.download)
        signed = require_safe(self.signed)
        return [
            self.page_url("<path:object_id>/raw/", raw, "raw", cacheable=True),
            self.page_url("<path:object_id>/thumbnail/", small, "thumbnail", cacheable=True),
            self.page_url("<path:object_id>/download/", download, "download"),
            self.page_url("signed/<str:token>/", signed, "signed", cacheable=True),
            *super().page_urls(),
        ]

    def signed(self, request: HttpRequest, token: str) -> HttpResponseBase:
        """Serve a file, for a day, to users who see the object that it belongs to."""
        try:
            key = signing.loads(token, salt=SALT, max_age=SIGNED_SECONDS)
        except signing.BadSignature:
            raise PermissionDenied from None
        return self.send(
            request, self.file_address(quote(key)), partial(_respond, shown=DEFAULT_INLINE_TYPES)
        )

    def raw(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Serve a file for display in a page, or in a tab of its own."""
        self.require(request, "view")
        return self.send(
            request, self.file_address(object_id), partial(_respond, shown=SHOWN_TYPES)
        )

    def thumbnail(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        self.require(request, "view")
        return self.send(request, self.file_address(object_id), _thumbnail)

    def download(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        self.require(request, "view")
        return self.send(request, self.file_address(object_id), partial(_respond, shown=()))

    def send(self, request: HttpRequest, address: FileAddress, form: Form) -> HttpResponseBase:
        connection = connections[address.alias]
        asked = self.deadline(request, connection).ask(
            lambda database: find_file(database, address)
        )
        if asked.trouble is not None:
            return _told(asked.trouble)
        if asked.value is None:
            raise no_such(_("file"))
        stored = asked.value.stored
        if stored is None:
            return _told(_("This file cannot be read: its length is invalid."))
        try:
            return form(request, bucket_storage(address.of_bucket), stored)
        except (StorageError, PyMongoError, ImproperlyConfigured) as error:
            return _told(error_text(error, connection))


def _thumbnail(
    request: HttpRequest, storage: GridFSStorage, stored: StoredFile
) -> HttpResponseBase:
    etag = f'"thumbnail-{etag_of(stored)[1:]}'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        if storage.size_of(stored) > MAX_BYTES or not can_make_thumbnails():
            raise no_such(_("picture"))
        try:
            picture = thumbnail(storage.reader(stored))
        except NoThumbnail:
            raise no_such(_("picture")) from None
        response = HttpResponse(picture, content_type="image/png", headers={"ETag": etag})
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["X-Content-Type-Options"] = "nosniff"
    patch_cache_control(response, no_cache=True, private=True)
    return response


def _respond(
    request: HttpRequest, storage: GridFSStorage, stored: StoredFile, *, shown: Collection[str]
) -> HttpResponseBase:
    """The file itself; browsers display it if its type is among ``shown``."""
    name = stored.filename if isinstance(stored.filename, str) else ""
    found = Representation(
        name=name,
        size=storage.size_of(stored),
        etag=etag_of(stored),
        last_modified=last_modified_of(stored, time.time()),
        content_type=content_type_of(stored.content_type, name),
        inline_types=shown,
        cache_control="no-cache",
        random_access=has_random_access(stored),
        is_private=True,
    )
    answered = answer(request, found)
    if isinstance(answered, HttpResponse):
        return answered
    return _body(request, storage, stored, answered)


def _body(
    request: HttpRequest, storage: GridFSStorage, stored: StoredFile, content: Content
) -> HttpResponseBase:
    if content.length <= AT_ONCE:
        with closing(read(storage, stored, content)) as pieces:
            body = b"".join(pieces)
        return HttpResponse(body, status=content.status, headers=content.headers)
    if isinstance(request, ASGIRequest):
        return FileStream(content, b"", aread(storage, stored, content))
    source = read(storage, stored, content)
    return FileStream(content, next(source, b""), source)


def _told(trouble: str) -> HttpResponse:
    return HttpResponse(trouble, status=503, content_type="text/plain; charset=utf-8")
