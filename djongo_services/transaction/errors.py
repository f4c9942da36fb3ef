"""The exceptions of transactions, and helpful messages for the driver's own errors."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from django.db import DatabaseError, OperationalError
from django.db.transaction import TransactionManagementError
from pymongo.errors import ConfigurationError, InvalidOperation, OperationFailure, PyMongoError

from djongo_services.conf import SETTING
from djongo_services.exceptions import DjongoServicesError
from djongo_services.server_errors import WRITE_CONFLICT

__all__ = [
    "CommitResultUnknown",
    "ConcurrentUse",
    "ForeignClient",
    "RefusedInTransaction",
    "TransactionManagementError",
    "TransactionsUnsupported",
    "WriteConflict",
    "final_error",
    "is_transient",
    "is_unknown_commit",
]

TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"

_INSTEAD = {
    "count": "use count_documents()",
    "aggregate": "run stages such as $out, $merge, $unionWith and $collStats outside of the block",
    "listCollections": "list the collections before the block",
    "listIndexes": "read the indexes before the block",
    "createIndexes": "create the indexes before the block, or with the collection inside of it",
    "create": "create the collection before the block",
    "drop": "use delete_many({}), or drop the collection after the block",
    "dropIndexes": "drop the indexes outside of the block",
    "explain": "explain outside of the block",
    "ping": "ping outside of the block",
}


class TransactionsUnsupported(DjongoServicesError):
    """The MongoDB server has no transactions."""


class CommitResultUnknown(DjongoServicesError, OperationalError):
    """Whether the transaction was committed is unknown.

    The driver's error is its ``__cause__``. The transaction may or may not have taken effect: check
    the data before you repeat the work. Neither on_commit nor on_rollback callbacks are run.
    """


class RefusedInTransaction(OperationFailure):
    """The server refuses this operation in a transaction (code 263)."""


class WriteConflict(OperationFailure):
    """Another transaction has changed, or is changing, the same document (code 112).

    The whole transaction must run again. The ORM raises a DatabaseError with this error as its
    ``__cause__``. The server's full response is in ``details``, not in the message.
    """

    def __init__(self, message: str, code: int | None = None, details: Any = None) -> None:
        super().__init__(message, code, details)
        self.args = (message,)


class ForeignClient(InvalidOperation):
    """A MongoClient that belongs to no connection was used inside of an atomic block."""


class ConcurrentUse(RuntimeWarning):
    """Operations of one transaction were started at the same time."""


def is_transient(error: BaseException) -> bool:
    """Whether the whole transaction may be retried; this also checks the chain of ``__cause__``."""
    transient = any(_labelled(each, TRANSIENT) for each in _chain(error))
    return transient and not is_unknown_commit(error)


def is_unknown_commit(error: BaseException) -> bool:
    return any(_labelled(each, UNKNOWN_COMMIT) for each in _chain(error))


def refused_in_transaction(operation: str, error: OperationFailure) -> RefusedInTransaction:
    # PyMongo passes members of an enum, which print as _Op.COUNT.
    name = str(operation.value) if isinstance(operation, Enum) else operation
    instead = _INSTEAD.get(name, "run it outside of the atomic block")
    details: Any = error.details
    return RefusedInTransaction(
        f"MongoDB refuses {name} in a transaction: {instead} ({_server_message(error)}).",
        error.code,
        details,
    )


def asking_to_run_again(operation: str, alias: str, error: OperationFailure) -> OperationFailure:
    """The error to raise for a transient error of an operation or a commit; other errors are
    returned unchanged."""
    if type(error) is not OperationFailure or not is_transient(error):
        return error
    details: Any = error.details
    again = (
        f"Retry the whole transaction: a view with @atomic_view(retry=3) or "
        f'{SETTING}["TRANSACTION"]["MIDDLEWARE"]["ATTEMPTS"], a function with '
        f"run_in_transaction() or @retrying ({_server_message(error)})."
    )
    if error.code == WRITE_CONFLICT:
        return WriteConflict(
            f"Write conflict: {operation} on {alias!r} met a change by another transaction. "
            f"{again}",
            error.code,
            details,
        )
    return OperationFailure(
        f"MongoDB could not run {operation} on {alias!r} in this transaction, but may in another "
        f"attempt. {again}",
        error.code,
        details,
    )


def final_error(error: BaseException, alias: str) -> BaseException:
    """A better error for one that PyMongo or the backend raised, or the same one."""
    match error:
        case DatabaseError(args=(), __cause__=PyMongoError()):
            error.args = (str(error.__cause__),)  # the backend's have no message of their own
            return error
        case ForeignClient():
            return error
        case InvalidOperation() if "bound session" in str(error):
            final: PyMongoError = ForeignClient(
                f"A MongoClient that is none of the configured connections was used inside of "
                f"atomic({alias!r}). Use djongo_services.connections.connections[...].client, or "
                f"pass session= with a session of that client to work outside of the transaction."
            )
        case InvalidOperation() if "GridFS" in str(error):
            final = InvalidOperation(
                f"PyMongo's GridFS cannot be used inside of atomic({alias!r}); save the file with "
                f"djongo_services.storage, which takes part in the transaction, or write it "
                f"outside of the block."
            )
        case ConfigurationError() if "incompatible with unacknowledged" in str(error):
            final = ConfigurationError(
                f"A write with w=0 cannot be part of atomic({alias!r}), since its "
                f"result would be unknown; use an acknowledged write concern or write outside of "
                f"the block."
            )
        case _:
            return error
    final.__cause__ = error
    return final


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _labelled(error: BaseException, label: str) -> bool:
    return isinstance(error, PyMongoError) and error.has_error_label(label)


def _server_message(error: OperationFailure) -> str:
    details: Any = error.details
    message = details.get("errmsg") if isinstance(details, dict) else None
    return str(message or error).rstrip(".")
