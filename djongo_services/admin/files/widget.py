"""``GridFSFileWidget``: a preview of a model's file beside the form field that replaces it.

>>> class MediumAdmin(admin.ModelAdmin):
...     formfield_overrides = {models.FileField: {"widget": GridFSFileWidget}}

Every user who may see the object may see its file here: the address of the preview is signed.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.utils import quote
from django.contrib.admin.widgets import AdminFileWidget
from django.core import signing
from django.db.models.fields.files import FieldFile
from django.urls import NoReverseMatch, reverse

from djongo_services.admin.deadline import Deadline
from djongo_services.admin.files.address import BucketAddress, FileAddress
from djongo_services.admin.files.families import family_of
from djongo_services.admin.files.rows import badge_of, filename_text, moment_text
from djongo_services.connections import connections
from djongo_services.formatting import printable, size
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.serving.policy import content_type_of, is_inline

SALT = "djongo_services.admin.files.widget"
PICTURE_BYTES = 5_000_000
"""The size of the largest image that a form loads."""


class GridFSFileWidget(AdminFileWidget):
    """The widget of a field whose storage is a GridFSStorage; for others, the admin's own."""

    template_name = "admin/djongo_services/files/widget.html"

    def __init__(self, attrs: dict[str, Any] | None = None, *, site: str = "admin") -> None:
        """``site`` is the name of the AdminSite that has the pages of files."""
        super().__init__(attrs)
        self.site = site

    @property
    def media(self) -> forms.Media:
        return forms.Media(css={"all": ["djongo_services/admin/files.css"]})

    def is_initial(self, value: Any) -> bool:
        """Whether there is a file, without using its URL, which storages need not have."""
        if _is_in_bucket(value):
            return True
        initial: bool = super().is_initial(value)
        return initial

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        if _is_in_bucket(value):
            context["file"] = self._file(value)
        return context

    def _file(self, value: Any) -> dict[str, Any]:
        storage: GridFSStorage = value.storage
        deadline = Deadline(connections[storage.using])
        asked = deadline.ask(lambda database: _stored(storage, value.name))
        name = filename_text(value.name)
        if asked.value is None:
            return {"name": name, "trouble": asked.trouble}
        stored, plain = asked.value
        address = BucketAddress(alias=storage.using, bucket=storage.bucket_name).file(stored.id)
        kind = content_type_of(stored.content_type, value.name)
        return {
            "name": name,
            "url": self._url("change", quote(address.key)) if address else None,
            "preview": self._preview(address, kind, plain),
            "family": family_of(kind),
            "badge": badge_of(value.name, kind),
            "facts": _facts(stored, kind, plain),
            "checksum": printable(stored.sha256 or "")[:100],
        }

    def _preview(self, address: FileAddress | None, kind: str, plain: int) -> dict[str, Any] | None:
        family = family_of(kind)
        is_picture = family == "image" and is_inline(kind) and 0 < plain <= PICTURE_BYTES
        if address is None or not (is_picture or (family in ("audio", "video") and plain)):
            return None
        url = self._url("signed", signing.dumps(address.key, salt=SALT))
        return {"kind": family, "url": url} if url else None

    def _url(self, page: str, argument: str) -> str | None:
        try:
            return reverse(
                f"admin:djongo_services_file_{page}", args=[argument], current_app=self.site
            )
        except NoReverseMatch:
            return None


def _is_in_bucket(value: Any) -> bool:
    return (
        isinstance(value, FieldFile)
        and bool(value.name)
        and bool(getattr(value, "_committed", False))
        and isinstance(value.storage, GridFSStorage)
    )


def _stored(storage: GridFSStorage, name: str) -> tuple[StoredFile, int]:
    stored = storage.stored(name)
    return stored, storage.size_of(stored)


def _facts(stored: StoredFile, kind: str, plain: int) -> list[str]:
    return [printable(kind)[:100], size(plain), moment_text(stored.upload_date)]
