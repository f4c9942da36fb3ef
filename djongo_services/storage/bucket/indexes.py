"""The indexes that a bucket has, and what this process already knows of them."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure

from djongo_services.server_errors import (
    DUPLICATE_KEY,
    DUPLICATE_KEY_OF_UPDATE,
    INDEX_KEY_SPECS_CONFLICT,
    INDEX_OPTIONS_CONFLICT,
    LOCK_TIMEOUT,
    UNAUTHORIZED,
)
from djongo_services.storage.bucket.layout import Layout
from djongo_services.transaction.current import Joined, open_transaction

logger = logging.getLogger("djongo_services.storage")

Keys = tuple[tuple[str, int], ...]

FILES_KEYS: Keys = (("filename", 1), ("uploadDate", 1))
CHUNKS_KEYS: Keys = (("files_id", 1), ("n", 1))
"""Unique: a file cannot have the same chunk twice. The keys are the specification's."""
EXCLUSIVE_KEYS: tuple[Keys, ...] = ((("filename", 1),), (("metadata.aliases.name", 1),))
"""Unique among the files that must not share their names."""

_PATIENCE_MS = 500
"""A transaction that has read a collection prevents new indexes on it; if it is the caller's own,
waiting for its end would never end."""

_WITHOUT = {
    UNAUTHORIZED: "the user may neither look for it nor create it",
    INDEX_OPTIONS_CONFLICT: "there is another index in its place",
    INDEX_KEY_SPECS_CONFLICT: "there is another index in its place",
    DUPLICATE_KEY: "existing documents violate it",
    DUPLICATE_KEY_OF_UPDATE: "existing documents violate it",
}
"""Errors that the next attempt would meet again."""

SHARED_KEYS: Keys = (("metadata.sha256", 1),)

Mark = tuple[str, str, bool, bool]

_done: weakref.WeakKeyDictionary[Any, set[Mark]] = weakref.WeakKeyDictionary()
"""Finished indexes by client."""
_put_off: weakref.WeakKeyDictionary[Any, set[Mark]] = weakref.WeakKeyDictionary()
"""Postponed indexes by the session of the transaction that must end first."""
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedIndex:
    collection: Any
    keys: Keys
    options: Mapping[str, Any]
    outside: bool
    """Whether the collection is never used inside of a transaction."""

    def is_among(self, indexes: Iterable[Mapping[str, Any]]) -> bool:
        # Shells write numbers as doubles: 1.0 is 1.
        return any(
            tuple(index["key"].items()) == self.keys
            and index.get("unique", False) >= self.options.get("unique", False)
            and ("partialFilterExpression" in index) <= ("partialFilterExpression" in self.options)
            for index in indexes
        )

    def may_be_created(self, within: Joined | None) -> bool:
        """A transaction cannot use a collection that got an index after its snapshot
        (SnapshotUnavailable, before MongoDB 7.0); a collection that does not exist, it creates
        itself."""
        return within is None or self.outside

    def how(self, within: Joined | None) -> dict[str, Any]:
        return {**self.options, **({} if within is None else {"maxTimeMS": _PATIENCE_MS})}

    def failed(self, within: Joined | None, error: OperationFailure) -> bool:
        """Whether another attempt is pointless. Raises errors that do not concern indexes."""
        if within is not None and error.code in LOCK_TIMEOUT:
            return False
        why = _WITHOUT.get(error.code or 0)
        if why is None:
            raise error
        logger.warning(
            "%s has no index on %s, because %s: %s",
            self.collection.full_name,
            ", ".join(name for name, _ in self.keys),
            why,
            error,
        )
        return True


def is_done(layout: Layout[Any]) -> bool:
    return _mark(layout) in _done.get(layout.client, ())


def mark_done(layout: Layout[Any]) -> None:
    with _lock:
        _done.setdefault(layout.client, set()).add(_mark(layout))


def forget(layout: Layout[Any]) -> None:
    """Look again before the next write, because the bucket was dropped."""
    with _lock:
        _done.get(layout.client, set()).discard(_mark(layout))


def _mark(layout: Layout[Any]) -> Mark:
    return (layout.database.name, layout.name, layout.exclusive, layout.shared)


def wanted_indexes(layout: Layout[Any]) -> Iterator[WantedIndex]:
    chunks, files = layout.chunks, layout.files
    yield WantedIndex(collection=chunks, keys=CHUNKS_KEYS, options={"unique": True}, outside=True)
    yield WantedIndex(collection=files, keys=FILES_KEYS, options={}, outside=False)
    if layout.exclusive:
        for keys in EXCLUSIVE_KEYS:
            # Otherwise their index would contain a file without aliases as one without a name.
            only = {"metadata.exclusive": True, keys[0][0]: {"$exists": True}}
            options = {"unique": True, "partialFilterExpression": only}
            yield WantedIndex(collection=files, keys=keys, options=options, outside=False)
    if layout.shared:
        options = {"partialFilterExpression": {"metadata.shareable": True}}
        yield WantedIndex(collection=files, keys=SHARED_KEYS, options=options, outside=False)


def begun_transaction(layout: Layout[Any]) -> Joined | None:
    # Also if the caller stays out of it: its locks are in the way all the same.
    within = open_transaction(layout.client)
    return within if within is not None and within.has_snapshot else None


def is_put_off(layout: Layout[Any], within: Joined | None) -> bool:
    return within is not None and _mark(layout) in _put_off.get(within.session, ())


def put_off_until_end(layout: Layout[Any], within: Joined, ensure: Callable[[], Any]) -> None:
    with _lock:
        _put_off.setdefault(within.session, set()).add(_mark(layout))
    within.on_commit(ensure)
    within.on_rollback(ensure)
