"""Actions on many files of a list: a confirmation page, then a chore."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from djongo_services.admin.files.address import BucketAddress, id_of
from djongo_services.admin.files.bulk import COUNTED, Action, Chosen, bulk_work
from djongo_services.admin.files.chore_pages import ChorePages
from djongo_services.admin.files.chores import What
from djongo_services.admin.files.filters import FOUND, Filters
from djongo_services.admin.files.removing_pages import FOR_GOOD
from djongo_services.admin.files.searching import filter_words
from djongo_services.admin.pages import Permission, no_such
from djongo_services.admin.patience import Patience
from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.introspection.rendering.numbers import count
from djongo_services.introspection.rendering.printable import printable

ACTIONS: dict[str, Permission] = {"delete": "delete", "purge": "delete", "restore": "change"}
"""To the permission that it asks for."""
CHORES: dict[str, What] = {"delete": "delete", "purge": "purge", "restore": "restore"}
MOST_IDS = 1_000


class BulkPages(ChorePages):
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
            self.message_user(request, _("Choose some files first."), messages.WARNING)
            return HttpResponseRedirect(back)
        patience = self.patience(request, connections[address.alias])
        if "confirmed" not in request.POST:
            return self._confirming(request, address, action, chosen, patience, back)
        if not _is_typed(request, address, action, chosen):
            wrong = _("That is not the name of the bucket; nothing was done.")
            return self._confirming(request, address, action, chosen, patience, back, wrong=wrong)
        for_good = action == "delete" and request.POST.get("fate") == FOR_GOOD
        wanted: Action = "delete-for-good" if for_good else action  # type: ignore[assignment]  # checked above
        words = _words(chosen)
        return self.begin_chore(
            request,
            address,
            CHORES[action],
            words,
            lambda run, by: bulk_work(wanted, address.bucket, chosen, by),
            log=_log(wanted) % {"what": words},
            back=back,
        )

    def _confirming(
        self,
        request: HttpRequest,
        address: BucketAddress,
        action: str,
        chosen: Chosen,
        patience: Patience,
        back: str,
        *,
        wrong: str | None = None,
    ) -> HttpResponse:
        number = patience.ask(lambda database: chosen.number(database, address.bucket))
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
    """Raises Http404 for ids that are none."""
    filters = Filters.of(QueryDict(asked.get("query", "")[:8_000]).dict())
    if asked.get("all") == "1":
        return Chosen(filters=filters, ids=None)
    try:
        return Chosen(filters=filters, ids=tuple(id_of(text) for text in _texts(asked)))
    except ValueError:
        raise no_such(_("file")) from None


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
        text = ngettext("%(count)s chosen file", "%(count)s chosen files", len(chosen.ids))
        return text % {"count": count(len(chosen.ids))}
    return filter_words(chosen.filters)


def _number_text(number: int | None) -> str:
    if number is None:
        return _("How many they are could not be counted in time.")
    if number > COUNTED:
        return _("They are more than %(count)s files.") % {"count": count(COUNTED)}
    return ngettext("It is %(count)s file.", "They are %(count)s files.", number) % {
        "count": count(number)
    }


def _consequences(action: str, chosen: Chosen) -> list[str]:
    said = []
    if chosen.ids is None:
        said.append(_("All of these: %(what)s.") % {"what": filter_words(chosen.filters)})
        said.append(_("Also those that are like that when their turn comes."))
    if action == "delete":
        said.append(_("Objects that refer to them do not find them any more."))
        said.append(_("From the trash, the collector brings back what something refers to."))
    if action == "purge":
        said.append(_("Their chunks are deleted, and they cannot be restored any more."))
    return said


def _log(action: Action) -> str:
    return {
        "delete": _("Moved to the trash: %(what)s."),
        "delete-for-good": _("Deleted for good: %(what)s."),
        "purge": _("Deleted for good from the trash: %(what)s."),
        "restore": _("Restored from the trash: %(what)s."),
    }[action]
