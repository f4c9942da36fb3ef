"""Django's database errors for PyMongo's."""

from __future__ import annotations

from typing import Any

from django.db.utils import DatabaseError, IntegrityError, OperationalError
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError

from djongo_services.backend.refusals import explain_refusal
from djongo_services.formatting import printable
from djongo_services.server_errors import (
    DOCUMENT_REFUSED,
    DUPLICATE_KEY,
    DUPLICATE_KEY_OF_UPDATE,
    TRANSACTION_TOO_LARGE,
)
from djongo_services.transaction.errors import is_transient, is_unknown_commit

_INTEGRITY = frozenset({DUPLICATE_KEY, DUPLICATE_KEY_OF_UPDATE})


class named_errors:
    """Raise Django's errors instead of PyMongo's, and instead of the backend's, which have no
    message. ``collection`` is the one that was written, if it is known."""

    # A class rather than a generator, because every operation of the ORM enters it.
    __slots__ = ("_collection",)

    def __init__(self, collection: str | None = None) -> None:
        self._collection = collection

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is None:
            return
        if isinstance(error, PyMongoError):
            raise django_error(error, self._collection) from error
        # From its version 6 on, the backend's errors have PyMongo's messages.
        if (
            isinstance(error, DatabaseError)
            and isinstance(cause := error.__cause__, PyMongoError)
            and error.args in ((), (str(cause),))
        ):
            raise django_error(cause, self._collection) from cause


def django_error(error: PyMongoError, collection: str | None = None) -> DatabaseError:
    code, message = _first(error)
    if code == DOCUMENT_REFUSED and isinstance(error, OperationFailure):
        return IntegrityError(explain_refusal(error.details, collection).message)
    if code in _INTEGRITY:
        return IntegrityError(message)
    if code == TRANSACTION_TOO_LARGE:
        return OperationalError(
            f"{printable(collection or 'The transaction')}: more was written in one transaction "
            f"than the server's cache holds; write in several atomic blocks, or give the server "
            f"more memory."
        )
    if isinstance(error, ConnectionFailure) or is_transient(error) or is_unknown_commit(error):
        return OperationalError(message)
    return DatabaseError(message)


def _first(error: PyMongoError) -> tuple[int | None, str]:
    """Code and message of the first failure; a bulk write has a list of failures."""
    if isinstance(error, BulkWriteError):
        failures = (error.details or {}).get("writeErrors") or [{}]
        return failures[0].get("code"), failures[0].get("errmsg", str(error))
    message = str(error).partition(", full error: ")[0]
    return (error.code if isinstance(error, OperationFailure) else None), message
