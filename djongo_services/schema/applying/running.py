"""Running one operation across elections and lost connections."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
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
from djongo_services.schema.applying.remaking import InTheWay, Remaking
from djongo_services.schema.applying.watching import BuildHook, send
from djongo_services.schema.operations import (
    SHADOW_PREFIX,
    BuildIndexes,
    CreateCollection,
    MakeUnique,
    Operation,
    PrepareUnique,
)
from djongo_services.schema.remaking import FinishRemaking, RemakeCollection
from djongo_services.schema.spec import IndexSpec
from djongo_services.server_errors import (
    BUILD_RUNNING,
    CANNOT_CONVERT_INDEX,
    COLLECTION_GONE,
    NO_SPACE,
    RETRYABLE,
    UNAUTHORIZED,
)

Document = dict[str, Any]

ELECTION_SECONDS = 60.0
"""The time for which an operation is retried without a primary."""

_RETRY_SECONDS = 0.5
_WORKING_SECONDS = 10.0
"""An attempt that lasted longer than this was working before it failed: a new problem, not the
previous one."""


class OperationRefused(DjongoServicesError):
    """The server refused an operation."""

    def __init__(self, message: str, duplicates: tuple[Duplicate, ...] = ()) -> None:
        super().__init__(message)
        self.duplicates = duplicates


class ApplyingInterrupted(DjongoServicesError):
    """The user stopped the run; run it again to continue."""


class RunStopped(ApplyingInterrupted):
    """Another user or process stopped the run."""

    def __init__(self, by: str) -> None:
        super().__init__(f"Stopped by {by}; run again to continue.")
        self.by = by


def run_operation(
    database: Database[Document],
    operation: Operation,
    *,
    stop: threading.Event,
    check: Callable[[], None] = lambda: None,
    progress: BuildHook | None = None,
) -> None:
    """Carry the operation out; repeating a completed one does no harm.

    It is retried over elections for up to :data:`ELECTION_SECONDS`, and waits for an index build
    that another primary continues. It also waits, without a limit, for another client's build that
    the server must finish first. ``check`` is called before each attempt, and any exception that it
    raises ends the operation, except a lost connection.

    Raises OperationRefused with the reason in one sentence, ApplyingInterrupted after ``stop``, and
    PyMongo's connection errors if no primary is elected in time.
    """
    if operation.command() is None:
        return
    patience = _Patience()
    while True:
        began = time.monotonic()
        try:
            check()
            _do(database, operation, stop, check, progress)
        except InTheWay as error:
            raise OperationRefused(f"{operation.collection}: {error}.") from error
        except (AutoReconnect, OperationFailure) as error:
            code = error.code if isinstance(error, OperationFailure) else None
            if code in operation.done_codes:
                return
            if stop.is_set():
                raise ApplyingInterrupted from error
            if code != BUILD_RUNNING and patience.is_over(error, began):
                if isinstance(error, OperationFailure):
                    raise _refused(database, operation, error) from error
                raise
        else:
            return
        stop.wait(_RETRY_SECONDS)


def _do(
    database: Database[Document],
    operation: Operation,
    stop: threading.Event,
    check: Callable[[], None],
    progress: BuildHook | None,
) -> None:
    def go_on() -> None:
        if stop.is_set():
            raise ApplyingInterrupted
        check()

    remaking = Remaking(database=database, stop=stop, check=go_on, progress=progress)
    match operation:
        case RemakeCollection():
            remaking.remake(operation)
        case FinishRemaking():
            remaking.finish(operation)
        case CreateCollection():
            remaking.create(operation)
        case _:
            send(database, operation.command() or {}, stop=stop, progress=progress)


class _Patience:
    """Ends :data:`ELECTION_SECONDS` after the problem began, not after a long build began."""

    def __init__(self) -> None:
        self._deadline: float | None = None

    def is_over(self, error: AutoReconnect | OperationFailure, began: float) -> bool:
        """Whether to give up after ``error`` of the attempt that began then."""
        if isinstance(error, OperationFailure) and error.code not in RETRYABLE:
            return True
        now = time.monotonic()
        # Without a server, an attempt only waits.
        worked = not isinstance(error, ServerSelectionTimeoutError)
        if self._deadline is None or (worked and now - began > _WORKING_SECONDS):
            self._deadline = now + ELECTION_SECONDS
        return now > self._deadline


def _refused(
    database: Database[Document], operation: Operation, error: OperationFailure
) -> OperationRefused:
    what = f"{operation.collection}: could not {operation.words()}"
    match operation:
        case BuildIndexes() if isinstance(error, DuplicateKeyError):
            unique = _duplicated(operation, error)
            return _duplicates(database, operation.collection, unique, what)
        case MakeUnique() if error.code == CANNOT_CONVERT_INDEX:
            # Otherwise an index that is not unique would continue to refuse writes.
            undo = PrepareUnique(
                collection=operation.collection, index=operation.index, prepare=False
            )
            send(database, undo.command(), stop=threading.Event())
            return _duplicates(database, operation.collection, _index(database, operation), what)
    return OperationRefused(f"{what}: {_reason(error)}.")


def _reason(error: OperationFailure) -> str:
    if error.code == UNAUTHORIZED:
        return "the database user may not do that; grant it the role dbAdmin"
    if error.code == NO_SPACE:
        return "the server has too little disk space; free some and run again"
    if error.code in COLLECTION_GONE:
        return "the collection was dropped or renamed in the meantime; make a new plan"
    words = str((error.details or {}).get("errmsg") or error).split(" :: caused by :: ")[-1]
    # Some messages quote a pattern over several lines.
    return " ".join(words.split()).rstrip(".")


def _duplicates(
    database: Database[Document], collection: str, index: IndexSpec, what: str
) -> OperationRefused:
    found = tuple(find_duplicates(database, collection, index))
    return OperationRefused(
        f"{what}: documents share a key of the unique index "
        f"{index.name.removeprefix(SHADOW_PREFIX)}; "
        f"make them distinct and run again.",
        found,
    )


def _duplicated(operation: BuildIndexes, error: DuplicateKeyError) -> IndexSpec:
    """The index that the server's error refers to, by its name in the text and its key pattern."""
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
