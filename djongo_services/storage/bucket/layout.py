"""The collections of a bucket, and the options that its operations use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from bson import ObjectId
from bson.codec_options import DatetimeConversion
from pymongo.errors import ConfigurationError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.storage.bucket.chunking import Chunker, Document, now
from djongo_services.storage.bucket.file import DEFAULT_CHUNK_SIZE, checked_chunk_size
from djongo_services.transaction.current import joined

DEFAULT_NAME = "fs"

_ONE_MEMBER = WriteConcern(w=1)

C = TypeVar("C")
"""Collection or AsyncCollection."""


class Layout(Generic[C]):
    """``name.files``, ``name.chunks`` and the collections that this package keeps beside them."""

    def __init__(
        self,
        database: Any,
        name: str,
        *,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
        read_preference: Any = None,
        exclusive: bool = False,
        shared: bool = False,
    ) -> None:
        """``exclusive`` requires the indexes that prevent equal names among files whose metadata
        ask for that; ``shared`` requires the index that finds equal content.

        Raises ConfigurationError for an unacknowledged write concern, which could lose files."""
        if not (write_concern or database.write_concern).acknowledged:
            raise ConfigurationError(
                f"The bucket {name!r} needs an acknowledged write concern, such as w=1 or "
                f'w="majority", not w=0.'
            )
        options: dict[str, Any] = {
            "codec_options": database.codec_options.with_options(
                document_class=dict,
                tz_aware=True,
                datetime_conversion=DatetimeConversion.DATETIME_AUTO,
            ),
            "write_concern": write_concern,
            "read_concern": read_concern,
            "read_preference": read_preference,
        }
        self.client = database.client
        self.database = database
        self.name = name
        self.exclusive = exclusive
        self.shared = shared
        self.files: C = database.get_collection(f"{name}.files", **options)
        self.chunks: C = database.get_collection(f"{name}.chunks", **options)
        self.trash: C = database.get_collection(f"{name}.trash", **options)
        """What the collector removed and can still restore."""
        self.uploads: C = database.get_collection(f"{name}.uploads", **options)
        """Uploads in progress through the upload handler."""
        self._early: C = database.get_collection(
            f"{name}.chunks", **{**options, "write_concern": _early_concern(database, options)}
        )

    @property
    def early_chunks(self) -> C:
        """The chunks, for writes that a later write to ``files`` confirms.

        A replica set's members apply writes in order. So a files document that a majority holds
        implies the chunks that were written to the same primary before it, and they need no wait of
        their own. On a sharded cluster the two may be on different shards.
        """
        return self.chunks if self._sharded() else self._early

    def traces(self, files_id: Any) -> list[tuple[C, dict[str, Any]]]:
        """The collections that may contain parts of a file with that id, and the queries that find
        them."""
        return [
            (self.files, {"_id": {"$eq": files_id}}),
            (self.chunks, {"files_id": {"$eq": files_id}}),
        ]

    def primary(self) -> object:
        """The server that takes the writes, and the election or start since which it does."""
        for address, server in self.client.topology_description.server_descriptions().items():
            if server.is_writable:
                version = server.topology_version or {}
                return (address, server.election_id, version.get("processId"))
        return None

    def _sharded(self) -> bool:
        return bool(self.client.topology_description.topology_type_name == "Sharded")


def _early_concern(database: Any, options: dict[str, Any]) -> WriteConcern:
    wanted: WriteConcern = options["write_concern"] or database.write_concern
    journaled = wanted.document.get("j")
    return _ONE_MEMBER if journaled is None else WriteConcern(w=1, j=journaled)


# The current time, for a server whose clock may be far ahead of a client's.
def server_now(client: Any) -> datetime:
    """The time by this process's clock, but never before the newest time that the servers sent.

    The collector's grace period ends by the server's clock. If it began by the clock of a client
    that is days behind, a file would be old as soon as it is stored. The cluster time comes with
    every response of a replica set, so it costs no round trip; other servers have none.
    """
    told = client._topology.max_cluster_time()
    moment = now()
    if not told:
        return moment
    return max(moment, datetime.fromtimestamp(told["clusterTime"].time, UTC))


# The types that both flavours of a bucket use.
Change: TypeAlias = Callable[[Document], None]
"""Changes a files document that is not stored yet, for example gives it another filename."""

NewFile: TypeAlias = tuple[ObjectId, str | None, bytes, Document]
"""A new id, filename, content and metadata."""


class Rows(Protocol):
    """A transaction of another database, which decides whether a file stays."""

    def saved(
        self,
        files_id: Any,
        undo: Callable[[], object] | None = None,
        settled: Callable[[], object] | None = None,
    ) -> None:
        """Register a file that is in the bucket. Call ``undo`` after a rollback, or delete the file
        if there is none, and call ``settled`` after a commit."""


class BucketOptions(Generic[C]):
    """The name, the chunk size and the collections of a bucket."""

    def __init__(
        self,
        database: Any,
        name: str = DEFAULT_NAME,
        *,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
        write_concern: WriteConcern | None = None,
        read_concern: ReadConcern | None = None,
        read_preference: Any = None,
        exclusive: bool = False,
        shared: bool = False,
    ) -> None:
        """``chunk_size`` in bytes; concerns and read preference default to the database's.

        ``exclusive`` prevents equal names among files whose metadata have ``exclusive: true``;
        ``shared`` finds files with equal content.

        Raises ValueError for a chunk size that fits no document, and ConfigurationError for an
        unacknowledged write concern.
        """
        self.name = name
        self.chunk_size = checked_chunk_size(chunk_size)
        self.layout: Layout[C] = Layout(
            database,
            name,
            write_concern=write_concern,
            read_concern=read_concern,
            read_preference=read_preference,
            exclusive=exclusive,
            shared=shared,
        )

    @property
    def files(self) -> C:
        return self.layout.files

    @property
    def chunks(self) -> C:
        return self.layout.chunks

    @property
    def trash(self) -> C:
        return self.layout.trash

    @property
    def uploads(self) -> C:
        return self.layout.uploads

    def _chunker(self, id: Any, chunk_size: int | None) -> Chunker:
        size = self.chunk_size if chunk_size is None else checked_chunk_size(chunk_size)
        return Chunker(ObjectId() if id is None else id, size)

    def session(self) -> Any:
        """The session of the open transaction, or None; the backend's own is not found by
        itself."""
        within = joined(self.layout.client)
        return within and within.session


def checked_name(filename: object) -> Any:
    """Raises TypeError unless it is a string or None: elsewhere, another value would be a query."""
    if filename is not None and not isinstance(filename, str):
        raise TypeError(f"A file's name is a string or None, not {type(filename).__name__}.")
    return filename


def kept_metadata(metadata: Mapping[str, Any] | None, content_type: str) -> Document:
    return {**(metadata or {}), **({"contentType": content_type} if content_type else {})}
