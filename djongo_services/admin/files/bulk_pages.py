"""Actions on many files of a list: a confirmation page, then a job."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.deadline import Deadline
from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.bulk import COUNTED, Action, Chosen
from djongo_services.admin.files.filters import FOUND, Filters
from djongo_services.admin.files.job_pages import JobPages
from djongo_services.admin.files.removing_pages import FOR_GOOD
from djongo_services.admin.files.searching import filter_words
from djongo_services.admin.jobs.bucket_jobs import What
from djongo_services.admin.pages import Permission, no_such
from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.formatting import count, printable

ACTIONS: dict[str, Permission] = {"delete": "delete", "purge": "delete", "restore": "change"}
"""The permission that each action requires."""
JOBS: dict[str, What] = {"delete": "delete", "purge": "purge", "restore": "restore"}
MOST_IDS = 1_000


class BulkPages(JobPages):
    def page_urls(self) -> list[URLPattern]:
        return [
            self.page_url("<path:object_id>/bulk/", require_POST(self.bulk), "bulk"),
            *super().page_urls(),
        ]

    def bulk(self, request: HttpRequest, object_id: str) -> HttpResponse:
        action = request.POST.get("action", "")
        if action not in ACTIONS:
            raise no_such(_("action"))
        self.require(request, "view", ACTIONS[action])
        address = self.bucket_address(object_id)
        chosen = _chosen(request.POST)
        if (action == "delete") == chosen.in_trash:
            raise no_such(_("action"))
        back = self.page_of(address, **chosen.filters.query)
        if chosen.ids == () or (chosen.ids is None and chosen.filters.state in FOUND):
            self.message_user(request, _("Select at least one file."), messages.WARNING)
            return HttpResponseRedirect(back)
        deadline = self.deadline(request, connections[address.alias])
        if "confirmed" not in request.POST:
            return self._confirming(request, address, action, chosen, deadline, back)
        if not _is_typed(request, address, action, chosen):
            wrong = _("That is not the name of the bucket; nothing was done.")
            return self._confirming(request, address, action, chosen, deadline, back, wrong=wrong)
        for_good = action == "delete" and request.POST.get("fate") == FOR_GOOD
        wanted: Action = "delete-for-good" if for_good else action  # type: ignore[assignment]  # checked above
        words = _words(chosen)
        return self.begin_job(
            request,
            address,
            JOBS[action],
            words,
            {"action": wanted, **_chosen_arguments(request.POST)},
            log=_log(wanted) % {"what": words},
            back=back,
        )

    def _confirming(
        self,
        request: HttpRequest,
        address: BucketAddress,
        action: str,
        chosen: Chosen,
        deadline: Deadline,
        back: str,
        *,
        wrong: str | None = None,
    ) -> HttpResponse:
        number = deadline.ask(lambda database: chosen.number(database, address.bucket))
        titles = {
            "delete": _("Delete files"),
            "purge": _("Delete files for good"),
            "restore": _("Restore files"),
        }
        submits = {
            "delete": _("Delete"),
            "purge": _("Delete for good"),
            "restore": _("Restore"),
        }
        context: dict[str, Any] = {
            "title": titles[action],
            "submit": submits[action],
            "is_grave": action != "restore",
            "name": address.shown,
            "bucket_name": address.shown,
            "back": back,
            "said": [_number_text(number.value), *_consequences(action, chosen)],
            "has_fate": action == "delete",
            "for_good": FOR_GOOD,
            "trash_days": settings.storage.trash_days,
            "typed": printable(address.bucket) if _needs_typing(action, chosen) else None,
            "action_url": self.page_of(address, "bulk"),
            "hidden": [
                ("action", action),
                ("confirmed", "1"),
                ("query", urlencode(chosen.filters.query)),
                *(
                    [("all", "1")]
                    if chosen.ids is None
                    else [("ids", text) for text in _texts(request.POST)]
                ),
            ],
            "wrong": [wrong] if wrong else [],
        }
        return self.bucket_page(
            request, address, "confirm.html", context, status=400 if wrong else 200
        )


def _chosen(asked: QueryDict) -> Chosen:
    """The chosen files. Raises Http404 for invalid ids."""
    try:
        return Chosen.read(_chosen_arguments(asked))
    except ValueError:
        raise no_such(_("file")) from None


def _chosen_arguments(asked: QueryDict) -> dict[str, Any]:
    filters = QueryDict(asked.get("query", "")[:8_000]).dict()
    return {
        "filters": Filters.of(filters).query,
        "ids": None if asked.get("all") == "1" else _texts(asked),
    }


def _texts(asked: QueryDict) -> list[str]:
    return asked.getlist("ids")[:MOST_IDS]


def _needs_typing(action: str, chosen: Chosen) -> bool:
    return action == "purge" or (action == "delete" and chosen.ids is None)


def _is_typed(request: HttpRequest, address: BucketAddress, action: str, chosen: Chosen) -> bool:
    if not _needs_typing(action, chosen):
        return True
    return request.POST.get("name", "").strip() == printable(address.bucket).strip()


def _words(chosen: Chosen) -> str:
    if chosen.ids is not None:
        text = ngettext("%(count)s selected file", "%(count)s selected files", len(chosen.ids))
        return text % {"count": count(len(chosen.ids))}
    return filter_words(chosen.filters)


def _number_text(number: int | None) -> str:
    if number is None:
        return _("The number of files could not be counted in time.")
    if number > COUNTED:
        return _("More than %(count)s files.") % {"count": count(COUNTED)}
    return ngettext("%(count)s file.", "%(count)s files.", number) % {"count": count(number)}


def _consequences(action: str, chosen: Chosen) -> list[str]:
    said = []
    if chosen.ids is None:
        said.append(_("All files that match: %(what)s.") % {"what": filter_words(chosen.filters)})
        said.append(_("This includes files that match only once the job reaches them."))
    if action == "delete":
        said.append(_("Objects that refer to them will no longer find them."))
        said.append(_("Files that are referred to stay in the trash; restore them from there."))
    if action == "purge":
        said.append(_("Their chunks are deleted; they cannot be restored."))
        said.append(_("Files that are referred to stay in the trash."))
    return said


def _log(action: Action) -> str:
    return {
        "delete": _("Moved to the trash: %(what)s."),
        "delete-for-good": _("Deleted for good: %(what)s."),
        "purge": _("Deleted for good from the trash: %(what)s."),
        "restore": _("Restored from the trash: %(what)s."),
    }[action]
