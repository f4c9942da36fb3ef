"""What a storage does now, and what it postpones to the end of the row's transaction."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pymongo import UpdateOne

from djongo_services.storage.bucket.queries import PROVISIONAL, batches
from djongo_services.storage.following import blocks
from djongo_services.storage.following.aliases import Followed
from djongo_services.storage.following.blocks import FollowedBlock
from djongo_services.transaction import TransactionManagementError
from djongo_services.transaction.current import apart, joined

if TYPE_CHECKING:
    from djongo_services.storage.base import BucketStorage

logger = logging.getLogger("djongo_services.storage")

Callback = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FileChange:
    """One change that waits; files are settled, removed and deleted together with others."""

    storage: BucketStorage
    apart: bool
    """Whether it is kept out of MongoDB's transactions."""
    saved: Any = None
    """The id of a file that will be settled, or removed."""
    undo: Callback | None = None
    """Called instead of removing what was saved."""
    settled: Callback | None = None
    filename: str = ""
    deleted: frozenset[Any] = frozenset()
    """The ids of the files with that name that will be deleted."""
    delete: Callback | None = None
    """Called instead of deleting them together with others."""

    @property
    def hidden(self) -> tuple[Any, frozenset[Any]] | None:
        return (_place(self.storage, self.filename), self.deleted) if self.deleted else None


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowedRows:
    """The open transaction of a row, for the files of one storage."""

    block: FollowedBlock
    storage: BucketStorage
    apart: bool
    undo: Callback | None = None

    @property
    def alias(self) -> str:
        return self.block.alias

    def undone_by(self, undo: Callback) -> FollowedRows:
        """The same rows, with ``undo`` as the way to remove what is saved."""
        return dataclasses.replace(self, undo=undo)

    def saved(
        self, files_id: Any, undo: Callback | None = None, settled: Callback | None = None
    ) -> None:
        """Register a file that is in the bucket, marked as provisional.

        ``undo`` is called instead of deleting it after a rollback, ``settled`` after a commit.
        """
        self._add(saved=files_id, undo=self.undo or undo, settled=settled)

    def on_commit(self, callback: Callback) -> None:
        self._add(settled=callback)

    def on_rollback(self, callback: Callback) -> None:
        self._add(undo=callback)

    def deleted(self, filename: str, ids: Iterable[Any], delete: Callback | None = None) -> None:
        """Register files that disappear with the commit; this transaction no longer sees them."""
        self._add(filename=filename, deleted=frozenset(ids), delete=delete)

    def _add(self, **change: Any) -> None:
        self.block.add(FileChange(storage=self.storage, apart=self.apart, **change))


def rows_of(followed: Followed, storage: BucketStorage) -> FollowedRows | None:
    """None if the alias is in autocommit mode: what is saved has its row at once, or never."""
    block = blocks.open_block(followed.alias, _end)
    return (
        None if block is None else FollowedRows(block=block, storage=storage, apart=followed.sure)
    )


def hidden_ids(storage: BucketStorage, filename: str) -> list[Any]:
    """The ids of files with that name that the transactions of this context have deleted."""
    found = blocks.blocks_here()
    place = _place(storage, filename) if found else None
    return [each for block in found for each in block.hidden.get(place, ())]


def hidden_names(storage: BucketStorage) -> dict[str, set[Any]]:
    """All hidden ids, by filename."""
    bucket, _ = _place(storage, "")
    found: dict[str, set[Any]] = {}
    for block in blocks.blocks_here():
        for (where, filename), ids in block.hidden.items():
            if where == bucket:
                found.setdefault(filename, set()).update(ids)
    return found


def is_anothers(document: Mapping[str, Any]) -> bool:
    """Whether the file is provisional, and its transaction does not belong to this context."""
    metadata = document.get("metadata")
    if not isinstance(metadata, Mapping) or "provisional" not in metadata:
        return False
    return not any(block.saved(document["_id"]) for block in blocks.blocks_here())


def _place(storage: BucketStorage, filename: str) -> tuple[Any, str]:
    return (storage.using, storage.bucket_name), filename


def _end(changes: list[FileChange], committed: bool) -> None:
    (_commit if committed else _roll_back)(changes)


def _commit(changes: list[FileChange]) -> None:
    """Settle what was saved first, so that callbacks of the commit find it."""
    for storage, some in _by_storage(each for each in changes if each.saved is not None):
        _try(some[0], "settled", functools.partial(_settle, storage, [each.saved for each in some]))
    for each in changes:
        if each.settled is not None:
            _try(each, "settled", each.settled)
        if each.delete is not None:
            _try(each, "deleted", each.delete)
    gone = (each for each in changes if each.deleted and each.delete is None)
    for storage, some in _by_storage(gone):
        ids = [files_id for each in some for files_id in each.deleted]
        _try(some[0], "deleted", functools.partial(_delete, storage, ids))


def _roll_back(changes: list[FileChange]) -> None:
    """Undo the changes, the last one first."""
    for each in reversed(changes):
        if each.undo is not None:
            _try(each, "removed", each.undo)
    plain = (each for each in changes if each.saved is not None and each.undo is None)
    for storage, some in _by_storage(plain):
        ids = [each.saved for each in some]
        _try(some[0], "removed", functools.partial(_delete, storage, ids))


def _settle(storage: BucketStorage, ids: Sequence[Any]) -> None:
    bucket = storage.bucket
    change = {"$unset": {PROVISIONAL: 1}}
    for batch in batches(ids):
        # The driver repeats single updates when an election interrupts them.
        updates = [UpdateOne({"_id": {"$eq": files_id}}, change) for files_id in batch]
        bucket.files.bulk_write(updates, ordered=False, session=bucket.session())


def _delete(storage: BucketStorage, ids: Sequence[Any]) -> None:
    storage.bucket.delete_many(ids)


def _by_storage(changes: Iterable[FileChange]) -> list[tuple[BucketStorage, list[FileChange]]]:
    found: dict[tuple[int, bool], tuple[BucketStorage, list[FileChange]]] = {}
    for each in changes:
        key = (id(each.storage), each.apart)
        found.setdefault(key, (each.storage, []))[1].append(each)
    return list(found.values())


def _try(change: FileChange, what: str, work: Callable[[], object]) -> None:
    try:
        # Otherwise in MongoDB's transaction, if one is still open.
        with apart() if change.apart or _is_doomed(change.storage) else nullcontext():
            work()
    except Exception as error:
        # The row's transaction has ended, whatever happens here.
        logger.exception(
            "Files of %r could not be %s when their transaction ended, and are left to gridfs_gc: "
            "%s",
            change.storage,
            what,
            error,
        )


def _is_doomed(storage: BucketStorage) -> bool:
    """Whether MongoDB's transaction can only be rolled back, with everything in it."""
    try:
        joined(storage.bucket.layout.client)
    except TransactionManagementError:
        return True
    return False
