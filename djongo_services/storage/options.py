"""What a storage can be told, checked when it is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from pymongo.read_preferences import make_read_preference, read_pref_mode_from_name
from pymongo.write_concern import WriteConcern

from djongo_services.storage.bucket import DEFAULT_CHUNK_SIZE
from djongo_services.storage.bucket.file import checked_chunk_size


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageOptions:
    """The keyword arguments of ``GridFSStorage``; all can stand in ``STORAGES`` and migrations."""

    chunk_size: int = DEFAULT_CHUNK_SIZE
    """Bytes."""
    allow_overwrite: bool = False
    """Whether a file saved under a name that is taken replaces the other one."""
    keep_revisions: bool = False
    """Whether replaced files stay in the bucket as older revisions, for ``revisions()``."""
    content_type: str = "name"
    """``name``, ``declared``, ``content`` or a dotted path: see :mod:`content_types`."""
    read_preference: str | None = None
    """Such as ``secondaryPreferred``; None: the connection's."""
    write_concern: int | str | Mapping[str, Any] | None = None
    """``w``, or a document such as ``{"w": "majority", "j": True}``; None: the connection's."""
    compression: str | None = None
    """``gzip``, ``zstd``, or the name of a registered codec."""
    encryption: str | bool | None = None
    """``aes-gcm`` (or True), or the name of a registered codec."""
    deduplicate: bool = False
    """Whether files of equal content are stored once."""
    cache_control: str = ""
    """The header of served files; empty: private ones are not kept, others are checked again."""
    private: bool = False
    """Whether ``url()`` is signed and expires, and other addresses are refused."""
    url_expires: int = 3600
    """Seconds that a signed address works."""
    permission: Any = None
    """A function ``(request, name, stored) -> bool``, perhaps async, or its dotted path."""
    inline_types: Collection[str] | None = None
    """Content types that browsers may show; None: raster images and plain text."""

    def __post_init__(self) -> None:
        """Raises ImproperlyConfigured for what would not work together or not at all."""
        try:
            checked_chunk_size(self.chunk_size)
            self.pymongo_write_concern()
            self.pymongo_read_preference()
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"A GridFSStorage cannot be made: {error}") from error
        if self.deduplicate and (self.allow_overwrite or self.keep_revisions):
            raise ImproperlyConfigured(
                "A GridFSStorage with deduplicate stores one file for several names, so it can "
                "neither allow_overwrite nor keep_revisions; choose one of them."
            )
        if self.deduplicate and self.encryption:
            raise ImproperlyConfigured(
                "A GridFSStorage with encryption stores equal content differently each time, so "
                "deduplicate would find nothing; choose one of them."
            )

    @property
    def codecs(self) -> list[str]:
        """In the order in which they are applied."""
        encryption = "aes-gcm" if self.encryption is True else self.encryption
        return [name for name in (self.compression, encryption) if name]

    def pymongo_write_concern(self) -> WriteConcern | None:
        match self.write_concern:
            case None:
                return None
            case Mapping() as document:
                return WriteConcern(**document)
            case w:
                return WriteConcern(w=w)

    def pymongo_read_preference(self) -> Any:
        if self.read_preference is None:
            return None
        by_name = {mode.casefold(): mode for mode in _MODES}
        mode = by_name.get(self.read_preference.casefold())
        if mode is None:
            raise ValueError(
                f"read_preference is one of {', '.join(_MODES)}, not {self.read_preference!r}."
            )
        return make_read_preference(read_pref_mode_from_name(mode), None)


_MODES = [
    "primary",
    "primaryPreferred",
    "secondary",
    "secondaryPreferred",
    "nearest",
]


def parse_options(given: Mapping[str, Any]) -> StorageOptions:
    """Raises ImproperlyConfigured for an option that there is not."""
    known = [field.name for field in fields(StorageOptions)]
    if unknown := [name for name in given if name not in known]:
        raise ImproperlyConfigured(
            f"A GridFSStorage has no option {unknown[0]!r}; its options are bucket, location, "
            f"base_url, using, {', '.join(known)}."
        )
    return StorageOptions(**given)
