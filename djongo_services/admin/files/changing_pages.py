"""Renaming a file, replacing what is in it, and letting an older revision be the current one."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from pymongo.errors import PyMongoError

from djongo_services.admin.files.acting import FileActions
from djongo_services.admin.files.address import FileAddress, logged
from djongo_services.admin.files.answers import sent_to, wants_json
from djongo_services.admin.files.changing import make_current, rename
from djongo_services.admin.files.finding import FoundFile
from djongo_services.admin.files.homes import home_of
from djongo_services.admin.files.rows import filename_text
from djongo_services.admin.files.storing import is_name, keeps_revisions, replace
from djongo_services.admin.patience import Patience
from djongo_services.admin.troubles import trouble_text
from djongo_services.connections import connections
from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection.rendering.printable import printable

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
        patience = self.patience(request, connections[address.alias])
        asked = self.found_for(address, patience, "bucket")
        found = asked.value
        if found is None:
            return self._renaming(request, address, None, patience, trouble=asked.trouble)
        if request.method != "POST":
            return self._renaming(request, address, found, patience)
        filename = request.POST.get("filename", "")
        if len(filename) > LONGEST_NAME or not is_name(filename):
            wrong = _("That is no name that a storage could have: no empty parts, no .. in it.")
            return self._renaming(request, address, found, patience, wrong=[wrong])
        done = patience.ask(
            lambda database: rename(database, address.bucket, found.document, filename)
        )
        if done.trouble is not None:
            return self._renaming(request, address, found, patience, wrong=[done.trouble])
        before, after = filename_text(found.filename), filename_text(filename)
        return self.done_to_file(
            request,
            address,
            after,
            done,
            log=_("Renamed from %(before)s to %(after)s.") % {"before": before, "after": after},
            said=_("It is %(after)s now.") % {"after": after},
        )

    def replace(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.file_address(object_id)
        patience = self.patience(request, connections[address.alias])
        asked = self.found_for(address, patience, "bucket")
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
            text = trouble_text(error, connections[address.alias])
            return self._replacing(request, address, found, wrong=[text])
        own = address.of_bucket.file(stored.id)
        assert own is not None  # a new file's id is an ObjectId
        name = filename_text(stored.filename)
        for each in (address, own):
            self.log_change(request, logged(each, name), _("Replaced its content."))
        self.message_user(request, _("The content of %(name)s was replaced.") % {"name": name})
        return sent_to(request, self.page_of(own))

    def revive(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Of several files of one name, let this one be the current one."""
        self.require(request, "view", "change")
        address = self.file_address(object_id)
        patience = self.patience(request, connections[address.alias])
        found = self.found_for(address, patience, "bucket")
        document = found.value.document if found.value else {}
        done = patience.ask(lambda database: make_current(database, address.bucket, document))
        return self.done_to_file(
            request,
            address,
            filename_text(document.get("filename")),
            done,
            log=_("Made the current revision."),
            said=_("It is the current revision now."),
        )

    def _renaming(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile | None,
        patience: Patience,
        *,
        trouble: str | None = None,
        wrong: list[str] | None = None,
    ) -> HttpResponse:
        context: dict[str, Any] = {"title": _("Rename a file"), "submit": _("Rename")}
        if found is not None:
            current = found.filename if isinstance(found.filename, str) else ""
            context |= {
                "said": [
                    _("What refers to it does so by its name, and does not find it any more."),
                    self.said_of_references(address, found, patience),
                ],
                # What would steer the text is spelled out, in the new name too.
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
            fate = _("The present content is deleted, and cannot be restored.")
            if keeps_revisions(home):
                fate = _("The present content stays as an older revision.")
            said = [fate]
            if home is not None:
                by = _("The new one is stored by the storage %(name)s.")
                said.append(by % {"name": printable(home.label)})
            context |= {
                "said": said,
                "uploads": True,
                "is_grave": not keeps_revisions(home),
            }
        return self.file_confirmation(
            request, address, found, context, trouble=trouble, wrong=wrong or []
        )
