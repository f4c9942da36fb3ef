"""Deleting a file, restoring it from the trash, and deleting it from there for good."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from djongo_services.admin.deadline import Deadline
from djongo_services.admin.files.address import FileAddress, FoundFile
from djongo_services.admin.files.pages import FileActions
from djongo_services.admin.files.rows import filename_text
from djongo_services.admin.files.trashing import Removal, purge_entries, remove_files
from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.storage.collector import restore

FOR_GOOD = "good"


class RemovingPages(FileActions):
    def page_urls(self) -> list[URLPattern]:
        restore_file = require_POST(self.restore)
        return [
            self.page_url("<path:object_id>/delete/", self.delete_file, "delete"),
            self.page_url("<path:object_id>/restore/", restore_file, "restore"),
            self.page_url("<path:object_id>/purge/", self.purge, "purge"),
            *super().page_urls(),
        ]

    def delete_file(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "delete")
        address = self.file_address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = self.found_for(address, deadline, "bucket")
        found = asked.value
        if found is None or request.method != "POST":
            return self._deleting(request, address, found, deadline, trouble=asked.trouble)
        for_good = request.POST.get("fate") == FOR_GOOD
        removal = Removal(run=ObjectId(), by=request.user.get_username(), for_good=for_good)
        # An operation that has begun must be completed, so this is not cut off.
        done = deadline.ask(
            lambda database: remove_files(database, address.bucket, [address.id], removal),
            is_cut_off=False,
        )
        name = filename_text(found.filename)
        if done.trouble is not None:
            self.message_user(request, done.trouble, messages.ERROR)
            return HttpResponseRedirect(self.page_of(address))
        if not done.value:
            self.message_user(request, _("The file was changed in the meantime; nothing was done."))
            return HttpResponseRedirect(self.page_of(address))
        self.log_deleted(request, address, name)
        said = _("Moved to the trash: %(name)s")
        if for_good:
            said = _("Deleted for good: %(name)s")
        self.message_user(request, said % {"name": name}, messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(address.of_bucket))

    def restore(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "change")
        address = self.file_address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        found = self.found_for(address, deadline, "trash")
        done = deadline.ask(
            lambda database: restore(database, address.bucket, ids=[address.id]),
            is_cut_off=False,
        )
        name = filename_text(found.value.filename if found.value else None)
        response = self.done_to_file(
            request,
            address,
            name,
            done,
            log=_("Restored from the trash."),
            said=_("Restored: %(name)s") % {"name": name},
        )
        if done.trouble is None and found.value is not None and not found.value.document:
            return HttpResponseRedirect(self.page_of(address.of_bucket))
        return response

    def purge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.require(request, "view", "delete")
        address = self.file_address(object_id)
        deadline = self.deadline(request, connections[address.alias])
        asked = self.found_for(address, deadline, "trash")
        found = asked.value
        context: dict[str, Any] = {
            "title": _("Delete for good"),
            "submit": _("Delete for good"),
            "is_grave": True,
            "said": [_("Its chunks are deleted; it cannot be restored.")],
        }
        if found is None or request.method != "POST":
            return self.file_confirmation(request, address, found, context, trouble=asked.trouble)
        connection = connections[address.alias]
        done = deadline.ask(
            lambda database: purge_entries(connection, address.bucket, [address.id]),
            is_cut_off=False,
        )
        name = filename_text(found.filename)
        wrong = done.trouble
        if wrong is None and not done.value:
            wrong = _("Not deleted, because something refers to it or it was restored: %(name)s")
            wrong %= {"name": name}
        if wrong is not None:
            self.message_user(request, wrong, messages.ERROR)
            return HttpResponseRedirect(self.page_of(address))
        self.log_deleted(request, address, name)
        self.message_user(request, _("Deleted for good: %(name)s") % {"name": name})
        return HttpResponseRedirect(self.page_of(address.of_bucket, state="trash"))

    def _deleting(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile | None,
        deadline: Deadline,
        *,
        trouble: str | None,
    ) -> HttpResponse:
        context: dict[str, Any] = {
            "title": _("Delete a file"),
            "submit": _("Delete"),
            "is_grave": True,
            "has_fate": True,
            "for_good": FOR_GOOD,
            "trash_days": settings.storage.trash_days,
        }
        if found is not None:
            context["said"] = [
                self.said_of_references(address, found, deadline),
                _("It stays in the trash as long as something refers to it."),
            ]
        return self.file_confirmation(request, address, found, context, trouble=trouble)
