"""The names of buckets and files in URLs and in the log: ``alias/bucket`` and ``alias/bucket/id``.

A file's name does not identify it: revisions share it, and it changes. Its id does, and may have
any BSON type: an ObjectId is written as its 24 digits, any other value as canonical Extended JSON,
in which no plain number of 24 digits exists. An address leads to a file wherever in the bucket it
is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, unquote

import bson
from bson import ObjectId
from bson.binary import UuidRepresentation
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError
from bson.json_util import JSONMode, JSONOptions, dumps, loads

from djongo_services.admin.address import parse_key, shown_name
from djongo_services.admin.deadline import Mongo
from djongo_services.admin.files.buckets import files_of, trash_of
from djongo_services.models import File
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.errors import CorruptFile

LONGEST_ID = 600
"""The maximum number of characters of an id in an address; files with longer ids have no page."""

_EXACT: JSONOptions = JSONOptions(
    json_mode=JSONMode.CANONICAL,
    uuid_representation=UuidRepresentation.UNSPECIFIED,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    tz_aware=True,
)
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketAddress:
    alias: str
    """The alias of the connection."""
    bucket: str

    @property
    def key(self) -> str:
        return f"{self.alias}/{quote(self.bucket, safe='')}"

    @property
    def shown(self) -> str:
        return shown_name(self.bucket)

    def file(self, id: Any) -> FileAddress | None:
        """The address of a file; None for an id that no address can contain."""
        text = id_text(id)
        if text is None:
            return None
        return FileAddress(alias=self.alias, bucket=self.bucket, id=id, text=text)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileAddress:
    alias: str
    bucket: str
    id: Any
    """The ``_id`` of the files document, or the ``files_id`` of chunks without one."""
    text: str

    @property
    def key(self) -> str:
        """The primary key of :class:`djongo_services.models.File`."""
        return f"{self.of_bucket.key}/{self.text}"

    @property
    def of_bucket(self) -> BucketAddress:
        return BucketAddress(alias=self.alias, bucket=self.bucket)


def parse(key: str, aliases: Iterable[str]) -> BucketAddress | FileAddress | None:
    """The address; None for a text that is not a key of a bucket or of a file on one of the
    connections."""
    found = parse_key(key, aliases)
    if found is None:
        return None
    bucket, slash, text = found.collection.partition("/")
    address = BucketAddress(alias=found.alias, bucket=unquote(bucket))
    if not address.bucket or "\0" in address.bucket:
        return None
    if not slash:
        return address
    try:
        return address.file(id_of(text))
    except ValueError:
        return None


def id_text(id: Any) -> str | None:
    """The text of an id; None if it is too long, or cannot be used in a query."""
    if isinstance(id, ObjectId):
        return str(id)
    try:
        text: str = dumps(id, json_options=_EXACT)
        bson.encode({"": id})  # otherwise no query could use it
    except (TypeError, ValueError, OverflowError, BSONError):
        return None
    return text if len(text) <= LONGEST_ID else None


def id_of(text: str) -> Any:
    """Raises ValueError for texts that :func:`id_text` does not produce."""
    if _OBJECT_ID.fullmatch(text):
        return ObjectId(text)
    try:
        found = loads(text, json_options=_EXACT)
    except (TypeError, ValueError, KeyError, RecursionError, OverflowError, BSONError) as error:
        raise ValueError(f"{text[:100]!r} is not an id.") from error
    if id_text(found) != text:
        raise ValueError(f"{text[:100]!r} is not how an id is written.")
    return found


def logged(address: BucketAddress | FileAddress, name: str) -> File:
    """The object for the admin's log."""
    file = File(key=address.key)
    file.shown = name
    return file


# One file, in the bucket or in its trash.
Document = dict[str, Any]
Where = Literal["bucket", "trash"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundFile:
    where: Where
    document: Mapping[str, Any]
    """The files document; empty for chunks in the trash that have none."""
    entry: Mapping[str, Any] | None = None
    """The entry of the trash, without the file."""

    @property
    def filename(self) -> Any:
        return self.document.get("filename")

    @property
    def stored(self) -> StoredFile | None:
        """The file; None if the document is not that of a file."""
        try:
            return StoredFile.from_document(self.document) if self.document else None
        except CorruptFile:
            return None


def find_file(database: Mongo, address: FileAddress) -> FoundFile | None:
    """A file in the bucket, otherwise in its trash."""
    query: Document = {"_id": {"$eq": address.id}}
    document = files_of(database, address.bucket).find_one(query)
    if document is not None:
        return FoundFile(where="bucket", document=document)
    entry = trash_of(database, address.bucket).find_one(query)
    if entry is None:
        return None
    file = entry.pop("file", None)
    return FoundFile(where="trash", document=file if isinstance(file, dict) else {}, entry=entry)
