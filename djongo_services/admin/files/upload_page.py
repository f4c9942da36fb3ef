"""Uploading new files, with progress if scripts are enabled; it also works without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pymongo.errors import PyMongoError

from djongo_services.admin.address import shown_name
from djongo_services.admin.deadline import error_text
from djongo_services.admin.files.address import BucketAddress, FileAddress, logged, parse
from djongo_services.admin.files.buckets import bucket_names
from djongo_services.admin.files.changing import save
from djongo_services.admin.files.homes import Home, bucket_storage, homes
from djongo_services.admin.files.pages import FilePages, sent_to, wants_json
from djongo_services.admin.files.rows import filename_text
from djongo_services.connections import connections
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import count, printable
from djongo_services.storage.bucket import StoredFile

LONGEST_FOLDER = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadTarget:
    """A place for uploads."""

    value: str
    label: str
    address: BucketAddress
    home: Home | None

    @property
    def storage(self) -> Any:
        return self.home.storage if self.home else bucket_storage(self.address)


class UploadPage(FilePages):
    def page_urls(self) -> list[URLPattern]:
        return [self.page_url("add/", self.upload, "add"), *super().page_urls()]

    def upload(self, request: HttpRequest) -> HttpResponse:
        self.require(request, "add")
        wanted = parse(request.GET.get("to", ""), self.aliases())
        if wanted is None and not self.aliases():
            return self.render(request, "files/upload.html", {"title": _("Upload files")})
        connection = connections[wanted.alias] if wanted else self.connection(request)
        asked = self.deadline(request, connection).ask(bucket_names)
        targets = _targets(connection.alias, asked.value or [])
        if request.method == "POST" and asked.trouble is None:
            return self._upload(request, targets, wanted)
        return self._form(request, targets, wanted, trouble=asked.trouble)

    def _upload(
        self,
        request: HttpRequest,
        targets: Sequence[UploadTarget],
        wanted: BucketAddress | FileAddress | None,
    ) -> HttpResponse:
        chosen = next((each for each in targets if each.value == request.POST.get("target")), None)
        files = request.FILES.getlist("files")
        if chosen is None or not files:
            missing = _("Choose a file.") if chosen else _("Choose a storage.")
            return self._form(request, targets, wanted, wrong=[missing])
        folder = request.POST.get("folder", "")[:LONGEST_FOLDER]
        stored: list[StoredFile] = []
        wrong: list[str] = []
        may_replace = self.allows(request, "change")
        for file in files:
            self._save(chosen, folder, file, stored, wrong, may_replace=may_replace)
        for each in stored:
            self._log_upload(request, chosen.address, each)
        return self._answer(request, targets, wanted, chosen, stored, wrong)

    def _save(
        self,
        chosen: UploadTarget,
        folder: str,
        file: UploadedFile[Any],
        stored: list[StoredFile],
        wrong: list[str],
        *,
        may_replace: bool,
    ) -> None:
        try:
            kept = save(chosen.address, chosen.storage, folder, file, may_replace=may_replace)
            stored.append(kept)
        except ValidationError as error:  # It is larger than uploads may be.
            wrong.append(f"{printable(file.name or '')}: {' '.join(error.messages)}")
        except (PyMongoError, ImproperlyConfigured, DjongoServicesError, OSError) as error:
            text = error_text(error, connections[chosen.address.alias])
            wrong.append(f"{printable(file.name or '')}: {text}")

    def _log_upload(self, request: HttpRequest, address: BucketAddress, stored: StoredFile) -> None:
        own = address.file(stored.id)
        if own is not None:
            name = filename_text(stored.filename)
            self.log_addition(request, logged(own, name), [{"added": {}}])

    def _answer(
        self,
        request: HttpRequest,
        targets: Sequence[UploadTarget],
        wanted: BucketAddress | FileAddress | None,
        chosen: UploadTarget,
        stored: Sequence[StoredFile],
        wrong: list[str],
    ) -> HttpResponse:
        if stored:
            self.message_user(request, _uploaded(len(stored)), messages.SUCCESS)
        if not wrong:
            return sent_to(request, self._after(request, chosen.address, stored))
        if wants_json(request):
            return JsonResponse({"wrong": wrong}, status=400)
        return self._form(request, targets, wanted, wrong=wrong)

    def _after(
        self, request: HttpRequest, address: BucketAddress, stored: Sequence[StoredFile]
    ) -> str:
        """The page with the uploaded files, if the user may see it."""
        if not self.allows(request, "view"):
            return self.url("add") + "?" + urlencode({"to": address.key})
        own = address.file(stored[0].id) if len(stored) == 1 else None
        return self.page_of(own or address)

    def _form(
        self,
        request: HttpRequest,
        targets: Sequence[UploadTarget],
        wanted: BucketAddress | FileAddress | None,
        *,
        trouble: str | None = None,
        wrong: Sequence[str] = (),
    ) -> HttpResponse:
        bucket = wanted.bucket if wanted else None
        first = next((each.value for each in targets if each.address.bucket == bucket), None)
        current = request.POST.get("target") or first
        if wrong and wants_json(request):
            return JsonResponse({"wrong": list(wrong)}, status=400)
        return self.render(
            request,
            "files/upload.html",
            {
                "title": _("Upload files"),
                "is_configured": True,
                "trouble": trouble,
                "wrong": wrong,
                "targets": [
                    {
                        "value": each.value,
                        "label": each.label,
                        "is_current": each.value == current,
                    }
                    for each in targets
                ],
                "folder": request.POST.get("folder", "")[:LONGEST_FOLDER],
                "may_see": self.allows(request, "view"),
                "overview_url": self.url("changelist"),
                "connections": self._connection_tabs(request, wanted),
            },
            status=400 if wrong else 200,
        )

    def _connection_tabs(
        self, request: HttpRequest, wanted: BucketAddress | FileAddress | None
    ) -> list[dict[str, Any]]:
        current = wanted.alias if wanted else self.connection(request).alias
        return [
            {
                "name": shown_name(alias),
                "url": self.url("add") + "?" + urlencode({"connection": alias}),
                "is_current": alias == current,
            }
            for alias in self.aliases()
        ]


def _targets(alias: str, there: Sequence[str]) -> list[UploadTarget]:
    """The project's storages first, except those of static files; a bucket without a storage is
    possible too."""
    found = []
    at_home = homes(alias)
    for bucket in sorted({*there, *at_home}):
        address = BucketAddress(alias=alias, bucket=bucket)
        for number, home in enumerate(at_home.get(bucket, [])):
            if home.is_static:
                continue
            found.append(
                UploadTarget(
                    value=f"{address.key} {number}",
                    label=f"{address.shown}: {home.label}",
                    address=address,
                    home=home,
                )
            )
        if bucket not in at_home:
            found.append(
                UploadTarget(value=address.key, label=address.shown, address=address, home=None)
            )
    return found


def _uploaded(number: int) -> str:
    text = ngettext("%(count)s file was uploaded.", "%(count)s files were uploaded.", number)
    return text % {"count": count(number)}
