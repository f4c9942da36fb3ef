"""What the confirmation pages of a file have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from djongo_services.admin.files.address import FileAddress, logged
from djongo_services.admin.files.finding import FoundFile, Where, find_file
from djongo_services.admin.files.pages import FilePages
from djongo_services.admin.files.referring import find_referrers
from djongo_services.admin.files.rows import filename_text
from djongo_services.admin.pages import no_such
from djongo_services.admin.patience import Patience, Question, T
from djongo_services.introspection.rendering.printable import printable


class FileActions(FilePages):
    """Subclasses have an action each."""

    def found_for(
        self, address: FileAddress, patience: Patience, where: Where
    ) -> Question[FoundFile | None]:
        """Raises Http404 unless it is there, or nobody can tell."""
        asked = patience.ask(lambda database: find_file(database, address))
        if asked.trouble is None and (asked.value is None or asked.value.where != where):
            raise no_such(_("file"))
        return asked

    def done_to_file(
        self,
        request: HttpRequest,
        address: FileAddress,
        name: str,
        asked: Question[T],
        *,
        log: str,
        said: str,
    ) -> HttpResponse:
        """Log and tell what was done, and go back to the file."""
        if asked.trouble is not None:
            self.message_user(request, asked.trouble, messages.ERROR)
        else:
            self.log_change(request, logged(address, name), log)
            self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(address))

    def log_deleted(self, request: HttpRequest, address: FileAddress, name: str) -> None:
        files: Any = [logged(address, name)]  # any iterable will do
        self.log_deletions(request, files)

    def file_confirmation(
        self,
        request: HttpRequest,
        address: FileAddress,
        found: FoundFile | None,
        context: dict[str, Any],
        *,
        trouble: str | None = None,
        wrong: Sequence[str] = (),
    ) -> HttpResponse:
        return self.bucket_page(
            request,
            address.of_bucket,
            "confirm.html",
            {
                "name": filename_text(found.filename) if found else None,
                "file_name": filename_text(found.filename) if found else _("File"),
                "bucket_name": address.of_bucket.shown,
                "file_url": self.page_of(address),
                "back": self.page_of(address),
                "trouble": trouble,
                "wrong": wrong,
                **context,
            },
            status=400 if wrong else 200,
        )

    def said_of_references(self, address: FileAddress, found: FoundFile, patience: Patience) -> str:
        """Who would miss it, in a sentence."""
        asked = patience.ask(lambda database: find_referrers(address.of_bucket, found.document))
        if asked.value is None:
            return _("Whether something refers to it could not be told.")
        if not asked.value:
            return _("Nothing that the project knows refers to it.")
        labels = ", ".join(printable(each.label) for each in asked.value)
        return _("It is referred to by %(what)s.") % {"what": labels}
