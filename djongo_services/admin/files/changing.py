"""Changes to files documents that leave the chunks where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _
from pymongo.errors import DuplicateKeyError

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.address import BucketAddress
from djongo_services.admin.files.buckets import files_of
from djongo_services.admin.files.homes import Home, bucket_storage, home_of, is_static_file
from djongo_services.formatting import printable
from djongo_services.storage import GridFSStorage, StorageError
from djongo_services.storage.base import Location
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.bucket.chunking import now
from djongo_services.storage.collector.collections import BucketCollections
from djongo_services.storage.errors import FileChanged, NameTaken

Document = dict[str, Any]


def rename(database: Mongo, bucket: str, document: Mapping[str, Any], filename: str) -> None:
    """Raises NameTaken if another file has the name, FileChanged if this one has changed."""
    files = BucketCollections.of(database, bucket).files
    if files.find_one({"filename": filename}, {"_id": 1}) is not None:
        raise _taken(filename)
    before = document.get("filename")
    change: Document = {"$set": {"filename": filename}}
    options: Document = {}
    metadata = document.get("metadata")
    if isinstance(metadata, Mapping) and isinstance(metadata.get("aliases"), list):
        # A file that several names share lists all of them.
        change["$set"]["metadata.aliases.$[same].name"] = filename
        options["array_filters"] = [{"same.name": before}]
    query: Document = {"_id": {"$eq": document["_id"]}, "filename": {"$eq": before}}
    try:
        done = files.update_one(query, change, **options)
    except DuplicateKeyError as error:
        raise _taken(filename) from error
    if not done.matched_count:
        raise FileChanged(_("The file was deleted or renamed in the meantime; nothing was done."))


def make_current(database: Mongo, bucket: str, document: Mapping[str, Any]) -> None:
    """Make an older revision the newest one of its name, with the current date."""
    files = BucketCollections.of(database, bucket).files
    query: Document = {
        "_id": {"$eq": document["_id"]},
        "filename": {"$eq": document.get("filename")},
    }
    if not files.update_one(query, {"$set": {"uploadDate": now()}}).matched_count:
        raise FileChanged(_("The file was deleted or renamed in the meantime; nothing was done."))


def revisions(database: Mongo, bucket: str, filename: str, most: int) -> list[Document]:
    """Ids, dates and lengths of the files with a name; the first one is the current one."""
    found = files_of(database, bucket).find(
        {"filename": {"$eq": filename}},
        {"uploadDate": 1, "length": 1},
        sort={"uploadDate": -1, "_id": -1},
        limit=most,
    )
    return list(found)


def _taken(filename: str) -> NameTaken:
    return NameTaken(_("The bucket already has a file '%(name)s'.") % {"name": printable(filename)})


# New content through the project's own storages, so that their options apply.
class NoName(StorageError):
    """A file cannot have this name."""


class NotReplaced(StorageError):
    """The user may not replace the file with this name."""


def save(
    address: BucketAddress,
    storage: GridFSStorage,
    folder: str,
    uploaded: UploadedFile[Any],
    *,
    may_replace: bool,
) -> StoredFile:
    """Store a file under its own name, or a free one.

    Raises NoName, NotReplaced if the storage would replace a file although that is not allowed, and
    what storing raises.
    """
    name = "/".join(part for part in (folder.strip().strip("/"), uploaded.name or "") if part)
    try:
        refuse_static(address, storage.full_name(name))
        if not may_replace and storage.options.allow_overwrite and storage.exists(name):
            raise NotReplaced(
                _("A file with this name exists; only users who may change files can replace it.")
            )
        return storage.stored(storage.save(name, uploaded))
    except SuspiciousFileOperation as error:
        raise NoName(str(error)) from error


def refuse_static(address: BucketAddress, filename: str) -> None:
    """Raises NoName for the name of a static file."""
    if is_static_file(address, filename):
        raise NoName(_("Static files cannot be changed here; collectstatic writes them."))


def replace(address: BucketAddress, filename: str, uploaded: UploadedFile[Any]) -> StoredFile:
    """Store new content for a file's name.

    The storage decides about the old content: it is deleted, or stays as a revision.
    """
    refuse_static(address, filename)
    home = home_of(address, filename)
    storage = home.storage if home is not None else bucket_storage(address)
    name = storage.place.name(filename)
    if not is_name(name) or storage.full_name(name) != filename:
        raise NoName(
            _("No storage can have a file with the name '%(name)s'; rename it first.")
            % {"name": printable(filename)}
        )
    with storage.open(name, "wb") as target:
        for piece in _pieces(uploaded):
            target.write(piece)
    return storage.stored(name)


def is_name(filename: str) -> bool:
    """Whether a storage can have a file with exactly this name."""
    try:
        return bool(filename) and Location("").filename(filename) == filename
    except SuspiciousFileOperation:
        return False


def keeps_revisions(home: Home | None) -> bool:
    return home is not None and home.storage.options.keep_revisions


def _pieces(uploaded: UploadedFile[Any]) -> Iterable[bytes]:
    for piece in uploaded.chunks():
        yield piece.encode("utf-8") if isinstance(piece, str) else piece
