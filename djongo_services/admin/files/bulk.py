"""Work on many files: the selected ones, or all in a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from bson import ObjectId
from django.utils.translation import ngettext

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.address import id_of
from djongo_services.admin.files.filters import Filters
from djongo_services.admin.files.trashing import Removal, batches, purge_entries, remove_files
from djongo_services.admin.jobs.bucket_jobs import JobStopped, Work
from djongo_services.connections import Connection
from djongo_services.formatting import count
from djongo_services.progress import Progress, ProgressHook, Stop
from djongo_services.storage.collector import NotInTrash, NotRestored, restore
from djongo_services.storage.collector.collections import BucketCollections, Documents
from djongo_services.storage.collector.kinds import can_be_named

Action = Literal["delete", "delete-for-good", "restore", "purge"]

COUNTED = 10_000
"""The number of files up to which a confirmation shows the exact number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The files to work on."""

    filters: Filters
    ids: tuple[Any, ...] | None
    """The ids; None: all files that match the filters."""

    @classmethod
    def read(cls, arguments: Mapping[str, Any]) -> Self:
        """``{"filters": {"q": "a"}, "ids": [...]}``, ids as in URLs, or None.

        Raises ValueError for invalid ids.
        """
        ids = arguments["ids"]
        return cls(
            filters=Filters.of(arguments["filters"]),
            ids=None if ids is None else tuple(map(id_of, ids)),
        )

    @property
    def in_trash(self) -> bool:
        return self.filters.state == "trash"

    def query(self) -> dict[str, Any]:
        return self.filters.conditions("file." if self.in_trash else "", names=True)

    def place(self, database: Mongo, bucket: str) -> Documents:
        collections = BucketCollections.of(database, bucket)
        return collections.trash if self.in_trash else collections.files

    def number(self, database: Mongo, bucket: str) -> int:
        """The number of files; above :data:`COUNTED` they are not counted."""
        if self.ids is not None:
            return len(self.ids)
        found = self.place(database, bucket)
        return found.count_documents(self.query(), limit=COUNTED + 1)

    def each(self, database: Mongo, bucket: str) -> Iterator[Any]:
        """The ids of the files, without those that cannot be used in a query."""
        if self.ids is not None:
            yield from self.ids
            return
        cursor = self.place(database, bucket).find(
            self.query(), {"_id": 1}, sort={"_id": 1}, batch_size=1_000
        )
        with cursor:
            for document in cursor:
                if can_be_named(document["_id"]):
                    yield document["_id"]


def bulk_work(action: Action, connection: Connection, bucket: str, chosen: Chosen, by: str) -> Work:
    def work(database: Mongo, stop: Stop, progress: ProgressHook) -> str:
        removal = Removal(run=ObjectId(), by=by, for_good=action == "delete-for-good")
        act: Callable[[Sequence[Any]], int]
        match action:
            case "delete" | "delete-for-good":

                def act(ids: Sequence[Any]) -> int:
                    return remove_files(database, bucket, ids, removal)
            case "purge":

                def act(ids: Sequence[Any]) -> int:
                    return purge_entries(connection, bucket, ids)
            case "restore":

                def act(ids: Sequence[Any]) -> int:
                    return _restore(database, bucket, ids)

        asked, done = _go_over(chosen.each(database, bucket), act, bucket, stop, progress)
        return _said(action, asked, done)

    return work


def _go_over(
    ids: Iterable[Any],
    act: Callable[[Sequence[Any]], int],
    bucket: str,
    stop: Stop,
    progress: ProgressHook,
) -> tuple[int, int]:
    """The number of files, and the number of those that were processed."""
    asked = done = 0
    for some in batches(ids):
        if stop.is_set():
            text = ngettext(
                "It was stopped after %(count)s file.",
                "It was stopped after %(count)s files.",
                done,
            )
            raise JobStopped(text % {"count": count(done)})
        done += act(some)
        asked += len(some)
        progress(Progress(collection=bucket, phase="files", done=asked))
    return asked, done


def _restore(database: Mongo, bucket: str, ids: Sequence[Any]) -> int:
    """Restore the files, one by one if some of them cannot be restored."""
    try:
        return len(restore(database, bucket, ids=ids))
    except (NotInTrash, NotRestored):
        if len(ids) == 1:
            return 0
    return sum(_restore(database, bucket, [id]) for id in ids)


def _said(action: Action, asked: int, done: int) -> str:
    match action:
        case "delete":
            text = ngettext(
                "%(count)s file is in the trash now.",
                "%(count)s files are in the trash now.",
                done,
            )
        case "restore":
            text = ngettext("%(count)s file was restored.", "%(count)s files were restored.", done)
        case _:
            text = ngettext(
                "%(count)s file was deleted for good.",
                "%(count)s files were deleted for good.",
                done,
            )
    said = text % {"count": count(done)}
    if asked > done and action == "purge":
        rest = ngettext(
            "%(count)s file was not deleted: it is referred to, or no longer in the trash.",
            "%(count)s files were not deleted: they are referred to, or no longer in the trash.",
            asked - done,
        )
        said = f"{said} {rest % {'count': count(asked - done)}}"
    elif asked > done:
        rest = ngettext(
            "%(count)s file was skipped: it changed in the meantime, or cannot be restored.",
            "%(count)s files were skipped: they changed in the meantime, or cannot be restored.",
            asked - done,
        )
        said = f"{said} {rest % {'count': count(asked - done)}}"
    return said
