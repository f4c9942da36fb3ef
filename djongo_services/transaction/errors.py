"""What transactions raise, and how the driver's own errors are made to help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import OperationalError
from django.db.transaction import TransactionManagementError
from pymongo.errors import ConfigurationError, InvalidOperation, OperationFailure, PyMongoError

from djongo_services.exceptions import DjongoServicesError

__all__ = [
    "CommitResultUnknown",
    "ConcurrentUse",
    "ForeignClient",
    "RefusedInTransaction",
    "TransactionManagementError",
    "TransactionsUnsupported",
    "improved",
    "is_transient",
    "is_unknown_commit",
]

NO_SUCH_TRANSACTION = 251
NOT_IN_TRANSACTION = 263
TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"

_INSTEAD = {
    "count": "use count_documents()",
    "aggregate": "stages such as $out, $merge, $unionWith and $collStats work outside only",
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

    The driver's error is its ``__cause__``. Nothing may be concluded: look at the data before the
    work is done again. Neither on_commit nor on_rollback callbacks are run.
    """


class RefusedInTransaction(OperationFailure):
    """The server refuses this operation in a transaction (code 263)."""


class ForeignClient(InvalidOperation):
    """A MongoClient that no connection knows was used inside of an atomic block."""


class ConcurrentUse(RuntimeWarning):
    """Operations of one transaction were started at the same time."""


def is_transient(error: BaseException) -> bool:
    """Whether the whole transaction may be tried again; looks along ``__cause__``."""
    transient = any(_labelled(each, TRANSIENT) for each in _chain(error))
    return transient and not is_unknown_commit(error)


def is_unknown_commit(error: BaseException) -> bool:
    return any(_labelled(each, UNKNOWN_COMMIT) for each in _chain(error))


def refused_in_transaction(operation: str, error: OperationFailure) -> RefusedInTransaction:
    instead = _INSTEAD.get(operation, "run it outside of the atomic block")
    details: Any = error.details
    return RefusedInTransaction(
        f"MongoDB refuses {operation} in a transaction: {instead} ({_server_message(error)}).",
        error.code,
        details,
    )


def improved(error: BaseException, alias: str) -> BaseException:
    """A better error for one that PyMongo raised because of the bound session, or the same."""
    match error:
        case ForeignClient():
            return error
        case InvalidOperation() if "bound session" in str(error):
            better: PyMongoError = ForeignClient(
                f"A MongoClient that is none of the configured connections was used inside of "
                f"atomic({alias!r}). Use djongo_services.connections.connections[...].client, or "
                f"pass session= with a session of that client to work outside of the transaction."
            )
        case InvalidOperation() if "GridFS" in str(error):
            better = InvalidOperation(
                f"PyMongo's GridFS cannot be used inside of atomic({alias!r}); save the file with "
                f"djongo_services.storage, which takes part in the transaction, or write it "
                f"outside of the block."
            )
        case ConfigurationError() if "incompatible with unacknowledged" in str(error):
            better = ConfigurationError(
                f"A write with w=0 cannot be part of atomic({alias!r}), since nobody would learn "
                f"whether it happened; use an acknowledged write concern or write outside of the "
                f"block."
            )
        case _:
            return error
    better.__cause__ = error
    return better


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
