"""The collections of a bucket, with the options that its operations are to honour."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from bson.codec_options import DatetimeConversion
from pymongo.errors import ConfigurationError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

DEFAULT_NAME = "fs"

_ONE_MEMBER = WriteConcern(w=1)

C = TypeVar("C")
"""Collection or AsyncCollection."""


class Layout(Generic[C]):
    """``name.files``, ``name.chunks`` and what this package keeps beside them."""

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
        """``exclusive`` wants indexes that keep names apart whose metadata says so, ``shared`` one
        that finds equal content.

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
        """What the collector removed and can still bring back."""
        self.uploads: C = database.get_collection(f"{name}.uploads", **options)
        """Uploads that are under way through the upload handler."""
        self._early: C = database.get_collection(
            f"{name}.chunks", **{**options, "write_concern": _early_concern(database, options)}
        )

    @property
    def early_chunks(self) -> C:
        """The chunks, for writes that a later write to ``files`` confirms.

        A replica set's members apply writes in order. So a files document that a majority holds
        implies the chunks that were written to the same primary before it, and they need no wait
        of their own. On a sharded cluster the two may be on different shards.
        """
        return self.chunks if self._sharded() else self._early

    def traces(self, files_id: Any) -> list[tuple[C, dict[str, Any]]]:
        """Where there may be something of a file of that id, and the queries that find it."""
        return [
            (self.files, {"_id": {"$eq": files_id}}),
            (self.chunks, {"files_id": {"$eq": files_id}}),
        ]

    def primary(self) -> object:
        """Which server takes the writes, and since which election or start."""
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
