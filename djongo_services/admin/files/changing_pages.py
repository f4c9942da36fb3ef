"""Renaming a file, replacing its content, and making an older revision the current one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from pymongo.errors import PyMongoError

from djongo_services.admin.deadline import Deadline, error_text
from djongo_services.admin.files.address import FileAddress, FoundFile, logged
from djongo_services.admin.files.changing import (
    NoName,
    is_name,
    keeps_revisions,
    make_current,
    refuse_static,
    rename,
    replace,
)
from djongo_services.admin.files.homes import home_of
from djongo_services.admin.files.pages import FileActions, sent_to, wants_json
from djongo_services.admin.files.rows import filename_text
from djongo_services.connections import connections
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import printable

LONGEST_NAME = 1_000


class ChangingPages(FileActions):
    def page_urls(self) -> list[URLPattern]:
        revive = require_POST(self.revive)
        return [
            self.page_url("<path:object_id>/rename/", self.rename, "rename"),
            self.page_url("<path:object_id>/replace/", self.replace, "replace"),
            self.page_url("<path:object_id>/current/", revive, "current"),
            *super().page_urls(),
        ]

    def rename(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.file_address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = self.found_for(address, deadline, "bucket")
        found = asked.value
        if found is None:
            return self._renaming(request, address, None, deadline, trouble=asked.trouble)
        if request.method != "POST":
            return self._renaming(request, address, found, deadline)
        filename = request.POST.get("filename", "")
        wrong = _wrong_name(address, str(found.filename or ""), filename)
        if wrong is not None:
            return self._renaming(request, address, found, deadline, wrong=[wrong])
        done = deadline.ask(
            lambda database: rename(database, address.bucket, found.document, filename)
        )
        if done.trouble is not None:
            return self._renaming(request, address, found, deadline, wrong=[done.trouble])
        before, after = filename_text(found.filename), filename_text(filename)
        return self.done_to_file(
            request,
            address,
            after,
            done,
            log=_("Renamed from %(before)s to %(after)s.") % {"before": before, "after": after},
            said=_("The file is now named %(after)s.") % {"after": after},
        )

    def replace(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.file_address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = self.found_for(address, deadline, "bucket")
        found = asked.value
        if found is None or request.method != "POST":
            return self._replacing(request, address, found, trouble=asked.trouble)
        uploaded = request.FILES.get("files")
        if uploaded is None:
            return self._replacing(request, address, found, wrong=[_("Choose a file.")])
        try:
            stored = replace(address.of_bucket, str(found.filename), uploaded)
        except ValidationError as error:
            return self._replacing(request, address, found, wrong=error.messages)
        except (PyMongoError, ImproperlyConfigured, DjongoServicesError, OSError) as error:
            text = error_text(error, connections[address.alias])
            return self._replacing(request, address, found, wrong=[text])
        own = address.of_bucket.file(stored.id)
        assert own is not None  # a new file's id is an ObjectId
        name = filename_text(stored.filename)
        for each in (address, own):
            self.log_change(request, logged(each, name), _("Replaced its content."))
        self.message_user(request, _("The content of %(name)s was replaced.") % {"name": name})
        return sent_to(request, self.page_of(own))

    def revive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Make this file the current one among several files of one name."""
        self.require(request, "view", "change")
        address = self.file_address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        found = self.found_for(address, deadline, "bucket")
        document = found.value.document if found.value else {}
        done = deadline.ask(lambda database: make_current(database, address.bucket, document))
        return self.done_to_file(
            request,
            address,
            filename_text(document.get("filename")),
            done,
            log=_("Made the current revision."),
            said=_("This is now the current revision."),
        )

    def _renaming(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile | None,
        deadline: Deadline,
        *,
        trouble: str | None = None,
        wrong: list[str] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {"title": _("Rename a file"), "submit": _("Rename")}
        if found is not None:
            current = found.filename if isinstance(found.filename, str) else ""
            context |= {
                "said": [
                    _("Objects refer to it by its name, and will no longer find it."),
                    self.said_of_references(address, found, deadline),
                ],
                # Control characters are made visible, in the new name too.
                "filename": printable(request.POST.get("filename", current)[:LONGEST_NAME]),
                "longest": LONGEST_NAME,
            }
        return self.file_confirmation(
            request, address, found, context, trouble=trouble, wrong=wrong or []
        )

    def _replacing(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile | None,
        *,
        trouble: str | None = None,
        wrong: list[str] | None = None,
    ) -> HttpResponse:
        if wrong and wants_json(request):
            return JsonResponse({"wrong": wrong}, status=400)
        context: dict[str, Any] = {"title": _("Replace a file"), "submit": _("Replace")}
        if found is not None:
            home = None
            if isinstance(found.filename, str):
                home = home_of(address.of_bucket, found.filename)
            fate = _("The current content is deleted and cannot be restored.")
            if keeps_revisions(home):
                fate = _("The current content is kept as an older revision.")
            said = [fate]
            if home is not None:
                by = _("The new content is stored by the storage %(name)s.")
                said.append(by % {"name": printable(home.label)})
            context |= {
                "said": said,
                "uploads": True,
                "is_grave": not keeps_revisions(home),
            }
        return self.file_confirmation(
            request, address, found, context, trouble=trouble, wrong=wrong or []
        )


def _wrong_name(address: FileAddress, before: str, filename: str) -> str | None:
    if len(filename) > LONGEST_NAME or not is_name(filename):
        return _("Invalid file name: it must not contain empty parts or '..'.")
    try:
        for name in (before, filename):
            refuse_static(address.of_bucket, name)
    except NoName as error:
        return str(error)
    return None
