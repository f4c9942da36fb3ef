"""One file, wherever in a bucket it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from djongo_services.admin.files.address import FileAddress
from djongo_services.admin.files.buckets import files_of, trash_of
from djongo_services.admin.patience import Mongo
from djongo_services.storage.bucket import StoredFile
from djongo_services.storage.errors import CorruptFile

Document = dict[str, Any]
Where = Literal["bucket", "trash"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundFile:
    where: Where
    document: Mapping[str, Any]
    """The files document; empty for chunks in the trash that have none."""
    entry: Mapping[str, Any] | None = None
    """Of the trash, without the file."""

    @property
    def filename(self) -> Any:
        return self.document.get("filename")

    @property
    def stored(self) -> StoredFile | None:
        """None where the document is that of no file."""
        try:
            return StoredFile.from_document(self.document) if self.document else None
        except CorruptFile:
            return None


def find_file(database: Mongo, address: FileAddress) -> FoundFile | None:
    """In the bucket, else in its trash."""
    query: Document = {"_id": {"$eq": address.id}}
    document = files_of(database, address.bucket).find_one(query)
    if document is not None:
        return FoundFile(where="bucket", document=document)
    entry = trash_of(database, address.bucket).find_one(query)
    if entry is None:
        return None
    file = entry.pop("file", None)
    return FoundFile(where="trash", document=file if isinstance(file, dict) else {}, entry=entry)
