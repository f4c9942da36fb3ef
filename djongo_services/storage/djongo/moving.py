"""Moving files from djongo's layout into one bucket, one by one, in as many runs as it takes.

A copy has the id of its original, so that a second run knows what the first one did, and links that
contain ids can be redirected to the new place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from django.core.exceptions import SuspiciousFileOperation

from djongo_services.lease import Lease
from djongo_services.progress import Progress, ProgressHook, Stop
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.bucket.chunking import Document
from djongo_services.storage.bucket.synchronous import removing
from djongo_services.storage.codecs import plain_size
from djongo_services.storage.djongo.copying import (
    BATCH,
    FileToMove,
    Original,
    Standing,
    Stopped,
    copy,
    copy_small,
    is_small,
    nameless,
    pages,
    same_content,
)
from djongo_services.storage.djongo.report import EXAMPLES, MovedBucket, MoveReport, NotMoved
from djongo_services.storage.djongo.storage import DjongoGridFSStorage
from djongo_services.storage.errors import StorageError
from djongo_services.storage.gridfs import GridFSStorage
from djongo_services.translation import gettext as _

LEASE = "move_djongo_files"


def move_djongo_files(
    old: DjongoGridFSStorage,
    new: GridFSStorage,
    *,
    folders: Mapping[str, str] | None = None,
    delete_originals: bool = False,
    dry_run: bool = False,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> MoveReport:
    """Copy all files of ``old`` to the same names in ``new``, so that no row has to change.

    Nothing in ``new`` is ever replaced: if a name exists there with another content, that file
    stays and is reported. Only the current revision of a name is copied, unless ``new`` keeps
    revisions. ``delete_originals`` also deletes the originals, with their older revisions, once the
    copy exists.

    djongo stores the folder ``v1.2`` like ``v1/2``: ``folders``, such as ``{"v1.2": "v1.2"}``, says
    which one it was; without it, every dot is a slash.

    Raises StorageError in a transaction, if ``new`` keeps its files among djongo's, and for an
    unknown folder; Locked when another run is in progress.
    """
    if old.bucket.session() is not None or new.bucket.session() is not None:
        raise StorageError(_("Files are moved one by one, and so outside of any transaction."))
    order = _Order(new=new, delete=delete_originals, dry_run=dry_run, progress=progress, stop=stop)
    planned = _planned(old, new, folders or {})
    if dry_run:
        return _report(order, planned, None)
    with Lease(new.bucket.layout.database, LEASE, doing="moving files") as lease:
        return _report(order, planned, lease)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    new: GridFSStorage
    delete: bool
    dry_run: bool
    progress: ProgressHook | None
    stop: Stop | None

    @property
    def is_stopped(self) -> bool:
        return self.stop is not None and self.stop.is_set()


def _planned(
    old: DjongoGridFSStorage, new: GridFSStorage, folders: Mapping[str, str]
) -> list[tuple[GridFSStorage, str]]:
    """Each bucket and its folder in the new storage."""
    found = old.buckets()
    if unknown := [dotted for dotted in folders if dotted not in found]:
        text = _("There is no bucket %(bucket)s to move files from.")
        raise StorageError(text % {"bucket": f"{old.bucket_name}.{unknown[0]}"})
    planned = []
    for dotted, storage in found.items():
        path = folders.get(dotted, dotted.replace(".", "/")).strip("/")
        folder = f"{path}/" if path else ""
        if not _is_same_bucket(storage, new):
            planned.append((storage, folder))
        elif new.place.prefix + folder:
            text = _(
                "The new storage keeps its files in the bucket %(bucket)r, from which they are to "
                "be moved; give it another bucket."
            )
            raise StorageError(text % {"bucket": storage.bucket_name})
    return planned


def _is_same_bucket(one: GridFSStorage, other: GridFSStorage) -> bool:
    """Whether two buckets are the same one, whatever addresses they use for their server."""
    a, b = one.bucket.files, other.bucket.files
    return a.full_name == b.full_name and _uuid(a) is not None and _uuid(a) == _uuid(b)


def _uuid(collection: Any) -> Any:
    (found,) = list(collection.database.list_collections(filter={"name": collection.name})) or [{}]
    return found.get("info", {}).get("uuid")


def _report(
    order: _Order, planned: Sequence[tuple[GridFSStorage, str]], lease: Lease | None
) -> MoveReport:
    buckets = []
    for storage, folder in planned:
        if order.is_stopped:
            break
        mover = _Mover(order, storage, folder, lease)
        mover.move()
        if mover.found:
            buckets.append(mover.report())
    return MoveReport(buckets=tuple(buckets), dry_run=order.dry_run, interrupted=order.is_stopped)


class _Mover:
    """Moves the files of one bucket."""

    def __init__(self, order: _Order, old: GridFSStorage, folder: str, lease: Lease | None) -> None:
        self.found = 0
        """Files documents that were read."""
        self._order = order
        self._new = order.new
        self._old = old
        self._folder = folder
        self._lease = lease
        self._counts = dict.fromkeys(
            ("moved", "moved_bytes", "already", "older", "deleted", "stayed"), 0
        )
        self._problems: list[NotMoved] = []
        self._total = old.bucket.files.estimated_document_count() if order.progress else None

    def move(self) -> None:
        for page in pages(self._old.bucket):
            if self._lease is not None:
                self._lease.check()
            self._move_page(page)
            self.found += sum(len(each.revisions) for each in page)
            self._tell()
            if self._order.is_stopped:
                return
        for document in nameless(self._old.bucket):
            self.found += 1
            self._stays("", document["_id"], "It has no name.")

    def report(self) -> MovedBucket:
        return MovedBucket(
            bucket=self._old.bucket_name,
            folder=self._folder,
            problems=tuple(self._problems),
            **self._counts,
        )

    def _move_page(self, page: Sequence[Original]) -> None:
        wanted = [list(self._wanted(original)) for original in page]
        every = [each for some in wanted for each in some]
        standing = Standing(self._new, every)
        self._remove_leftovers(standing, every)
        copied = self._copy_small(standing, every)
        finished: list[Any] = []
        for original, files in zip(page, wanted, strict=True):
            arrived = [id(each) in copied or self._arrives(standing, each) for each in files]
            if len(files) == len(self._revisions(original)) and all(arrived):
                self._counts["older"] += len(original.revisions) - len(files)
                finished += [document["_id"] for document in original.revisions]
            if self._order.is_stopped:
                break
        if finished and self._order.delete and not self._order.dry_run:
            if self._lease is not None:
                self._lease.check()
            self._counts["deleted"] += self._old.bucket.delete_many(finished)

    def _wanted(self, original: Original) -> Iterator[FileToMove]:
        name = self._folder + original.filename
        if not self._is_djongos(name, original.filename):
            for document in original.revisions:
                self._stays(name, document["_id"], "djongo does not give files such names.")
            return
        for document in self._revisions(original):
            try:
                stored = StoredFile.from_document(document)
            except StorageError as error:
                self._stays(name, document["_id"], str(error))
            else:
                newest = document is original.revisions[-1]
                yield FileToMove(name=name, stored=stored, newest=newest)

    def _revisions(self, original: Original) -> Sequence[Document]:
        every = self._new.options.keep_revisions
        return original.revisions if every else original.revisions[-1:]

    def _is_djongos(self, name: str, filename: str) -> bool:
        try:
            normal = self._new.place.name(self._new.full_name(name))
        except SuspiciousFileOperation:
            return False
        return "/" not in filename and normal == name

    def _remove_leftovers(self, standing: Standing, wanted: Sequence[FileToMove]) -> None:
        """Remove chunks of a run that was killed in the middle of a file."""
        ids = [each.stored.id for each in wanted if standing.is_free(each)]
        if ids and not self._order.dry_run:
            removing.remove_chunks(self._new.bucket.layout, ids)

    def _copy_small(self, standing: Standing, wanted: Sequence[FileToMove]) -> set[int]:
        """Copy small files many at a time, and return their Python ids; special ones are left
        out."""
        if self._order.dry_run:
            return set()
        copied: set[int] = set()
        small = [each for each in wanted if standing.is_new(each) and is_small(each, self._new)]
        for at in range(0, len(small), BATCH):
            batch = small[at : at + BATCH]
            if self._order.is_stopped:
                break
            try:
                copy_small(self._old, batch, self._new)
            except StorageError:
                continue  # Copying them one by one shows which of them it was.
            copied |= {id(each) for each in batch}
            for each in batch:
                self._count_moved(each)
        return copied

    def _arrives(self, standing: Standing, wanted: FileToMove) -> bool:
        """Copy a file unless it is there already; False if it stays in the old storage."""
        if self._order.is_stopped:
            return False
        try:
            if standing.is_copied(wanted) or self._is_there_anyway(standing, wanted):
                self._counts["already"] += 1
                return True
            if (obstacle := standing.obstacle(wanted)) is not None:
                raise StorageError(obstacle)
            if not self._order.dry_run:
                copy(self._old, wanted, self._new, self._order.stop)
        except Stopped:
            return False
        except StorageError as error:
            self._stays(wanted.name, wanted.stored.id, str(error))
            return False
        self._count_moved(wanted)
        return True

    def _count_moved(self, wanted: FileToMove) -> None:
        self._counts["moved"] += 1
        self._counts["moved_bytes"] += plain_size(wanted.stored)

    def _is_there_anyway(self, standing: Standing, wanted: FileToMove) -> bool:
        """Whether it exists in another way: copied by other means, or as a further name of equal
        content."""
        other = standing.other(wanted)
        return other is not None and same_content(self._old, wanted.stored, self._new, other)

    def _stays(self, name: str, id: Any, reason: str) -> None:
        self._counts["stayed"] += 1
        if len(self._problems) < EXAMPLES:
            shown = str(id) if isinstance(id, ObjectId) else repr(id)
            self._problems.append(NotMoved(name=name, id=shown, reason=reason))

    def _tell(self) -> None:
        if self._order.progress is not None:
            self._order.progress(
                Progress(
                    collection=self._old.bucket_name,
                    phase="moving",
                    done=self.found,
                    total=self._total,
                )
            )
