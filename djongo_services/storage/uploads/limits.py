"""How much one request may bring."""

from __future__ import annotations

from django.core.exceptions import RequestDataTooBig, ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext

from djongo_services.storage.errors import StorageError


class TooLarge(StorageError, ValidationError, RequestDataTooBig):
    """An uploaded file is larger than allowed.

    A form shows it beside the field, as a ValidationError; a view that lets it pass answers 400, as
    Django does for RequestDataTooBig.
    """

    def __init__(self, message: str, *, limit: int) -> None:
        """``limit`` in bytes; ``%(limit)s`` in the message is the same in words."""
        params = {"limit": filesizeformat(limit)}
        ValidationError.__init__(self, message, code="too_large", params=params)
        self.limit = limit

    def __str__(self) -> str:
        return str(self.message) % self.params


class Quota:
    """Bytes of each file, and of all files of a request together; None: no limit."""

    def __init__(self, *, max_size: int | None, max_total: int | None) -> None:
        self._max_size = max_size
        self._max_total = max_total
        self._total = 0

    def reset(self) -> None:
        self._total = 0

    def take(self, count: int, size: int) -> TooLarge | None:
        """Count bytes of a file that has ``size`` of them by now; what is to be said of it."""
        self._total += count
        if self._max_size is not None and size > self._max_size:
            message = gettext("This file is larger than %(limit)s, the most that a file may have.")
            return TooLarge(message, limit=self._max_size)
        if self._max_total is not None and self._total > self._max_total:
            message = gettext(
                "The files are larger than %(limit)s together, the most that may be sent at once."
            )
            return TooLarge(message, limit=self._max_total)
        return None
