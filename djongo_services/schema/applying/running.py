"""Doing one operation, over elections and lost connections."""

from __future__ import annotations

import threading
import time
from typing import Any

from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from djongo_services.exceptions import DjongoServicesError
from djongo_services.schema.applying.duplicates import Duplicate, find_duplicates
from djongo_services.schema.applying.watching import BuildHook, send
from djongo_services.schema.operations import (
    BuildIndexes,
    MakeUnique,
    Operation,
    PrepareUnique,
)
from djongo_services.schema.spec import IndexSpec

Document = dict[str, Any]

ELECTION_SECONDS = 60.0
"""How long an operation is tried again while there is no primary."""

_CANNOT_CONVERT = 359
_UNAUTHORIZED = 13
_NO_SPACE = 14031
_RETRYABLE = frozenset({6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""The server specification's retryable codes: an election, a shutdown, a lost network."""


class OperationRefused(DjongoServicesError):
    """The server refused an operation."""

    def __init__(self, message: str, duplicates: tuple[Duplicate, ...] = ()) -> None:
        super().__init__(message)
        self.duplicates = duplicates


class Interrupted(DjongoServicesError):
    """Stopped by the user; run again to go on."""


def run_operation(
    database: Database[Document],
    operation: Operation,
    *,
    stop: threading.Event,
    progress: BuildHook | None = None,
) -> None:
    """Carry the operation out; doing again what is done is fine.

    Tried again over elections for up to :data:`ELECTION_SECONDS`: an index build that another
    primary goes on with is waited for. Raises OperationRefused with the reason in one sentence,
    Interrupted after ``stop``, and PyMongo's connection errors when no primary comes back.
    """
    command = operation.command()
    if command is None:
        return
    deadline = time.monotonic() + ELECTION_SECONDS
    while True:
        try:
            send(database, command, stop=stop, progress=progress)
        except OperationFailure as error:
            if error.code in operation.done_codes:
                return
            if stop.is_set():
                raise Interrupted from error
            if error.code not in _RETRYABLE or time.monotonic() > deadline:
                raise _refused(database, operation, error) from error
        except (AutoReconnect, ServerSelectionTimeoutError):
            if stop.is_set() or time.monotonic() > deadline:
                raise
        else:
            return
        stop.wait(0.5)


def _refused(
    database: Database[Document], operation: Operation, error: OperationFailure
) -> OperationRefused:
    what = f"{operation.collection}: could not {operation.words()}"
    match operation:
        case BuildIndexes() if isinstance(error, DuplicateKeyError):
            unique = _duplicated(operation, error)
            return _duplicates(database, operation.collection, unique, what)
        case MakeUnique() if error.code == _CANNOT_CONVERT:
            # Else writers would go on being refused by an index that is not unique.
            undo = PrepareUnique(
                collection=operation.collection, index=operation.index, prepare=False
            )
            send(database, undo.command(), stop=threading.Event())
            return _duplicates(database, operation.collection, _index(database, operation), what)
    details = error.details or {}
    reason = str(details.get("errmsg") or error)
    if error.code == _UNAUTHORIZED:
        reason = "the database user may not do that; grant it the role dbAdmin"
    elif error.code == _NO_SPACE:
        reason = "the server has too little disk space; free some and run again"
    return OperationRefused(f"{what}: {reason}.")


def _duplicates(
    database: Database[Document], collection: str, index: IndexSpec, what: str
) -> OperationRefused:
    found = tuple(find_duplicates(database, collection, index))
    return OperationRefused(
        f"{what}: documents share a key of the unique index {index.name}; "
        f"make them differ and run again.",
        found,
    )


def _duplicated(operation: BuildIndexes, error: DuplicateKeyError) -> IndexSpec:
    """The index that the server's error means; it names it in its text and by its key pattern."""
    pattern = tuple(((error.details or {}).get("keyPattern") or {}).keys())
    unique = [index for index in operation.indexes if index.options.get("unique")]
    named = [index for index in unique if tuple(name for name, _ in index.keys) == pattern]
    return (named or unique)[0]


def _index(database: Database[Document], operation: MakeUnique) -> IndexSpec:
    definition = database[operation.collection].index_information()[operation.index]
    options = {
        name: definition[name]
        for name in ("partialFilterExpression", "collation")
        if name in definition
    }
    return IndexSpec(name=operation.index, keys=tuple(definition["key"]), options=options)
