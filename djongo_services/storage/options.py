"""The options of a storage, checked when it is created."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from pymongo.errors import ConfigurationError
from pymongo.read_preferences import make_read_preference, read_pref_mode_from_name
from pymongo.write_concern import WriteConcern

from djongo_services.storage.bucket import DEFAULT_CHUNK_SIZE
from djongo_services.storage.bucket.file import LARGEST_CHUNK_SIZE, checked_chunk_size
from djongo_services.storage.content import POLICIES


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageOptions:
    """The keyword arguments of ``GridFSStorage``; all of them work in ``STORAGES`` and in
    migrations."""

    chunk_size: int = DEFAULT_CHUNK_SIZE
    """Bytes."""
    allow_overwrite: bool = False
    """Whether saving under a name that exists replaces that file."""
    keep_revisions: bool = False
    """Whether replaced files stay in the bucket as older revisions, for ``revisions()``."""
    content_type: str = "name"
    """``name``, ``declared``, ``content`` or a dotted path: see :mod:`content`."""
    read_preference: str | None = None
    """A mode such as ``secondaryPreferred``; None: the connection's."""
    write_concern: int | str | Mapping[str, Any] | None = None
    """``w``, or a document such as ``{"w": "majority", "j": True}``; None: the connection's."""
    compression: str | None = None
    """``gzip``, ``zstd``, or the name of a registered codec."""
    encryption: str | bool | None = None
    """``aes-gcm`` (or True), or the name of a registered codec."""
    allow_plain: bool = False
    """Whether a storage with encryption reads files that are not encrypted, such as older ones."""
    deduplicate: bool = False
    """Whether files of equal content are stored once."""
    follow: str | None = None
    """The DATABASES alias whose transactions decide about its files; None: that of the model with
    the file, otherwise "default" together with MongoDB's own transactions."""
    cache_control: str = ""
    """The Cache-Control header of served files; empty: private files are not cached, others are
    revalidated."""
    private: bool = False
    """Whether ``url()`` is signed and expires, and other addresses are refused."""
    url_expires: int = 3600
    """Seconds for which a signed URL is valid."""
    permission: Any = None
    """A function ``(request, name, stored) -> bool``, also async, or its dotted path."""
    inline_types: Collection[str] | None = None
    """Content types that browsers may show; None: raster images and plain text."""

    def __post_init__(self) -> None:
        """Raises ImproperlyConfigured for values that are wrong or contradict each other."""
        for name, (is_right, what) in _RULES.items():
            if not is_right(getattr(self, name)):
                raise ImproperlyConfigured(
                    f"{name} of a GridFSStorage must be {what}, not {getattr(self, name)!r}."
                )
        if self.deduplicate and (self.allow_overwrite or self.keep_revisions):
            raise ImproperlyConfigured(
                "A GridFSStorage with deduplicate stores one file for several names, so it can "
                "neither allow_overwrite nor keep_revisions; choose one of them."
            )
        if self.allow_plain and not self.encryption:
            raise ImproperlyConfigured(
                "A GridFSStorage with allow_plain needs encryption; without it, every file may be "
                "plain."
            )
        if self.deduplicate and self.encryption:
            raise ImproperlyConfigured(
                "A GridFSStorage with encryption stores equal content differently each time, so "
                "deduplicate would find nothing; choose one of them."
            )

    @property
    def codecs(self) -> list[str]:
        """The codecs in the order in which they are applied."""
        return [name for name in (self.compression, self.encryption_codec) if name]

    @property
    def encryption_codec(self) -> str | None:
        return ("aes-gcm" if self.encryption is True else self.encryption) or None

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
        mode = _MODES[self.read_preference.casefold()]
        return make_read_preference(read_pref_mode_from_name(mode), None)


_MODES = {
    mode.casefold(): mode
    for mode in ("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest")
}


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_chunk_size(value: Any) -> bool:
    try:
        checked_chunk_size(value)
    except ValueError:
        return False
    return True


def _is_policy(value: object) -> bool:
    return isinstance(value, str) and (value in POLICIES or "." in value.strip("."))


def _is_read_preference(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.casefold() in _MODES)


def _is_write_concern(value: Any) -> bool:
    try:
        concern = WriteConcern(**value) if isinstance(value, Mapping) else WriteConcern(w=value)
    except (ConfigurationError, TypeError, ValueError):
        return False
    return concern.acknowledged


def _is_inline_types(value: object) -> bool:
    if value is None:
        return True
    is_collection = isinstance(value, Collection) and not isinstance(value, str)
    return is_collection and all(isinstance(each, str) for each in value)  # type: ignore[attr-defined]


_SWITCH = (_is_bool, "True or False")
_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "chunk_size": (_is_chunk_size, f"a number of bytes from 1 to {LARGEST_CHUNK_SIZE:,}"),
    "allow_overwrite": _SWITCH,
    "keep_revisions": _SWITCH,
    "deduplicate": _SWITCH,
    "allow_plain": _SWITCH,
    "private": _SWITCH,
    "content_type": (_is_policy, f"{', '.join(POLICIES)} or the dotted path of a function"),
    "read_preference": (_is_read_preference, f"one of {', '.join(_MODES.values())}"),
    "write_concern": (
        _is_write_concern,
        'acknowledged: a number above 0, "majority", a tag, or a dict with w, j, wtimeout, fsync',
    ),
    "compression": (lambda value: value is None or isinstance(value, str), "a codec's name"),
    "encryption": (
        lambda value: value is None or isinstance(value, str | bool),
        "True or a codec's name",
    ),
    "follow": (
        lambda value: value is None or (isinstance(value, str) and bool(value)),
        "an alias of DATABASES",
    ),
    "cache_control": (lambda value: isinstance(value, str), "the value of a header"),
    "url_expires": (
        lambda value: isinstance(value, int) and not _is_bool(value) and value > 0,
        "a number of seconds above 0",
    ),
    "permission": (
        lambda value: value is None or callable(value) or isinstance(value, str),
        "a function or its dotted path",
    ),
    "inline_types": (_is_inline_types, "a list of content types"),
}


def parse_options(given: Mapping[str, Any]) -> StorageOptions:
    """Raises ImproperlyConfigured for an unknown option."""
    known = [field.name for field in fields(StorageOptions)]
    if unknown := [name for name in given if name not in known]:
        raise ImproperlyConfigured(
            f"A GridFSStorage has no option {unknown[0]!r}; its options are bucket, location, "
            f"base_url, using, {', '.join(known)}."
        )
    return StorageOptions(**given)
