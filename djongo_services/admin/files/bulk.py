"""Work on many files: those that were chosen, or all that a list has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bson import ObjectId
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.files.doing import Stopped, Work
from djongo_services.admin.files.filters import Filters
from djongo_services.admin.files.trashing import Removal, batches, purge_entries, remove_files
from djongo_services.admin.patience import Mongo
from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.introspection.rendering.numbers import count
from djongo_services.storage.collector import NotInTrash, NotRestored, restore
from djongo_services.storage.collector.candidates import can_be_named
from djongo_services.storage.collector.places import Documents, Places

Action = Literal["delete", "delete-for-good", "restore", "purge"]

COUNTED = 10_000
"""Files up to which a confirmation tells how many there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """What is to be worked on."""

    filters: Filters
    ids: tuple[Any, ...] | None
    """None: all that the filters let through."""

    @property
    def in_trash(self) -> bool:
        return self.filters.state == "trash"

    def query(self) -> dict[str, Any]:
        return self.filters.conditions("file." if self.in_trash else "", names=True)

    def place(self, database: Mongo, bucket: str) -> Documents:
        places = Places.of(database, bucket)
        return places.trash if self.in_trash else places.files

    def number(self, database: Mongo, bucket: str) -> int:
        """How many there are; more than :data:`COUNTED` are not counted."""
        if self.ids is not None:
            return len(self.ids)
        found = self.place(database, bucket)
        return found.count_documents(self.query(), limit=COUNTED + 1)

    def each(self, database: Mongo, bucket: str) -> Iterator[Any]:
        """Their ids; those that no query can name are left out."""
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


def bulk_work(action: Action, bucket: str, chosen: Chosen, by: str) -> Work:
    def work(database: Mongo, stop: Stop, progress: ProgressHook) -> str:
        removal = Removal(run=ObjectId(), by=by, for_good=action == "delete-for-good")
        act: Callable[[Sequence[Any]], int]
        match action:
            case "delete" | "delete-for-good":

                def act(ids: Sequence[Any]) -> int:
                    return remove_files(database, bucket, ids, removal)
            case "purge":

                def act(ids: Sequence[Any]) -> int:
                    return purge_entries(database, bucket, ids)
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
    """How many there were, and with how many it was done."""
    asked = done = 0
    for some in batches(ids):
        if stop.is_set():
            raise Stopped(_("It was stopped after %(count)s files.") % {"count": count(done)})
        done += act(some)
        asked += len(some)
        progress(Progress(collection=bucket, phase="files", done=asked))
    return asked, done


def _restore(database: Mongo, bucket: str, ids: Sequence[Any]) -> int:
    """One by one where some of them cannot come back."""
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
    if asked > done:
        rest = ngettext(
            "%(count)s was not: it changed meanwhile, or it cannot be restored.",
            "%(count)s were not: they changed meanwhile, or they cannot be restored.",
            asked - done,
        )
        said = f"{said} {rest % {'count': count(asked - done)}}"
    return said
