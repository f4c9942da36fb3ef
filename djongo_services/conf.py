"""The settings dict ``DJONGO_SERVICES``: typed, read live, checked.

Every property reads Django's settings when it is asked, so ``override_settings`` works and nothing
is cached. An unknown key or a value of the wrong type raises
:class:`~django.core.exceptions.ImproperlyConfigured` with the setting's full name;
``manage.py check`` reports the same sentences as ``djongo_services.E002``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

SETTING = "DJONGO_SERVICES"
EXAMPLE = (
    f'{SETTING} = {{"CONNECTIONS": {{"default": '
    f'{{"HOST": "mongodb://localhost:27017", "NAME": "mydatabase"}}}}}}'
)
"""For those who have no connection yet."""
_SERVICES = ("CONNECTIONS", "SCHEMA", "STORAGE", "TRANSACTION")
_TRANSACTION_KEYS = (
    "STANDALONE",
    "MAX_ATTEMPTS",
    "TIMEOUT",
    "COMMIT_TIMEOUT",
    "ROLLBACK_TIMEOUT",
    "MIDDLEWARE",
)
_STORAGE_KEYS = ("REFERENCES", "GRACE", "TRASH_DAYS", "ENCRYPTION_KEYS", "UPLOADS")
_UPLOAD_KEYS = ("STORAGE", "MAX_SIZE", "MAX_TOTAL", "PROGRESS")
_SCHEMA_KEYS = ("MODELS", "SYNC_ON_MIGRATE")
_LONGEST = timedelta(days=36_525)
"""A hundred years, so that dates before and after can be told."""
_STANDALONE = ("error", "single-document")
_CONNECTION_KEYS = ("DATABASE", "HOST", "NAME", "PORT", "USER", "PASSWORD", "OPTIONS")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionSettings:
    """One entry of ``CONNECTIONS``: either ``database`` or a server of its own."""

    alias: str
    database: str | None = None
    """The ``DATABASES`` alias of django-mongodb-backend whose client is shared."""
    host: str | None = None
    """A host name or a ``mongodb://`` URI."""
    name: str = ""
    """The MongoDB database."""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Keyword arguments of ``MongoClient``; they may hold secrets, so they are never shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TransactionSettings:
    """``TRANSACTION``: what ``atomic`` does where it has a choice."""

    standalone: Literal["error", "single-document"] = "error"
    """On a server without transactions: refuse, or keep each operation atomic by itself."""
    max_attempts: int = 10
    """How often ``run_in_transaction`` calls its function at most."""
    timeout: float = 30.0
    """Seconds after which ``run_in_transaction`` begins no further attempt."""
    commit_timeout: float = 20.0
    """Seconds for which a commit is repeated while its result is unknown."""
    rollback_timeout: float = 5.0
    """Seconds that ending an interrupted transaction on the server may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaSettings:
    """``SCHEMA``: which models are synced where, and when."""

    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By connection, ``app`` and ``app.Model`` labels of the models whose documents it holds.
    Models that the ORM keeps in MongoDB need not be named."""
    sync_on_migrate: bool = False
    """Whether ``migrate`` also syncs the migrated apps' collections."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadSettings:
    """``STORAGE["UPLOADS"]``: what ``GridFSUploadHandler`` takes in."""

    storage: str = "default"
    """The alias in ``STORAGES`` whose bucket uploads go to."""
    max_size: int | None = None
    """Bytes of one file; None: no limit."""
    max_total: int | None = None
    """Bytes of all files of one request."""
    progress: str | None = None
    """Dotted path of a function that is told how far each upload is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    """``STORAGE``: files, and the collector of those that nobody refers to."""

    references: tuple[str, ...] = ()
    """Dotted paths of functions that say which names are in use, beside the models' file fields."""
    grace: timedelta = timedelta(hours=48)
    """How old a file must be before the collector touches it."""
    trash_days: int = 30
    """How long removed files can be restored before ``gridfs_gc --purge`` deletes them."""
    encryption_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By name, 32 bytes in Base64; the first encrypts new files."""
    uploads: UploadSettings = field(default_factory=UploadSettings)


class Settings:
    """``DJONGO_SERVICES``, one property per service."""

    @property
    def raw(self) -> Mapping[str, Any]:
        value = getattr(django_settings, SETTING, {})
        if not isinstance(value, Mapping):
            raise ImproperlyConfigured(f"{SETTING} must be a dict, not {type(value).__name__}.")
        refuse_unknown(SETTING, value, _SERVICES)
        return value

    @property
    def connections(self) -> dict[str, ConnectionSettings]:
        """By alias, in the order of the setting.

        Without ``CONNECTIONS``, every ``DATABASES`` alias of django-mongodb-backend (or of a
        subclass of its engine) is a connection of the same name.
        """
        raw = self.raw
        if "CONNECTIONS" not in raw:
            return {
                alias: ConnectionSettings(alias=alias, database=alias)
                for alias in mongodb_database_aliases()
            }
        entries = raw["CONNECTIONS"]
        if not isinstance(entries, Mapping):
            raise ImproperlyConfigured(f'{SETTING}["CONNECTIONS"] must be a dict of aliases.')
        return {alias: _connection(alias, entry) for alias, entry in entries.items()}

    @property
    def schema(self) -> SchemaSettings:
        where = f'{SETTING}["SCHEMA"]'
        entry = self.raw.get("SCHEMA", {})
        if not isinstance(entry, Mapping):
            raise ImproperlyConfigured(f"{where} must be a dict, not {type(entry).__name__}.")
        refuse_unknown(where, entry, _SCHEMA_KEYS)
        sync = entry.get("SYNC_ON_MIGRATE", False)
        if not isinstance(sync, bool):
            raise ImproperlyConfigured(f'{where}["SYNC_ON_MIGRATE"] must be True or False.')
        models = _models(where, entry)
        if unknown := [alias for alias in models if alias not in self.connections]:
            raise ImproperlyConfigured(
                f'{where}["MODELS"] names the connection {unknown[0]!r}, which does not exist.'
            )
        return SchemaSettings(models=models, sync_on_migrate=sync)

    @property
    def storage(self) -> StorageSettings:
        where = f'{SETTING}["STORAGE"]'
        entry = self.raw.get("STORAGE", {})
        if not isinstance(entry, Mapping):
            raise ImproperlyConfigured(f"{where} must be a dict, not {type(entry).__name__}.")
        refuse_unknown(where, entry, _STORAGE_KEYS)
        keys = entry.get("ENCRYPTION_KEYS", {})
        if not isinstance(keys, Mapping) or not all(
            isinstance(each, str) for pair in keys.items() for each in pair
        ):
            raise ImproperlyConfigured(f'{where}["ENCRYPTION_KEYS"] must be a dict of strings.')
        days = entry.get("TRASH_DAYS", 30)
        if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= _LONGEST.days:
            raise ImproperlyConfigured(
                f'{where}["TRASH_DAYS"] must be a whole number of days from 0 to '
                f"{_LONGEST.days:,}, not {days!r}."
            )
        return StorageSettings(
            references=_paths(where, entry.get("REFERENCES", ())),
            grace=_duration(where, entry),
            trash_days=days,
            encryption_keys=dict(keys),
            uploads=_uploads(f'{where}["UPLOADS"]', entry.get("UPLOADS", {})),
        )

    @property
    def transaction(self) -> TransactionSettings:
        where = f'{SETTING}["TRANSACTION"]'
        entry = self.raw.get("TRANSACTION", {})
        if not isinstance(entry, Mapping):
            raise ImproperlyConfigured(f"{where} must be a dict, not {type(entry).__name__}.")
        refuse_unknown(where, entry, _TRANSACTION_KEYS)
        if entry.get("STANDALONE", "error") not in _STANDALONE:
            raise ImproperlyConfigured(
                f'{where}["STANDALONE"] must be one of {", ".join(map(repr, _STANDALONE))}, '
                f"not {entry['STANDALONE']!r}."
            )
        if "MAX_ATTEMPTS" in entry and not isinstance(entry["MAX_ATTEMPTS"], int):
            raise ImproperlyConfigured(f'{where}["MAX_ATTEMPTS"] must be a whole number.')
        for key in _TRANSACTION_KEYS[1:-1]:
            _positive(where, entry, key)
        own = {key.lower(): value for key, value in entry.items() if key != "MIDDLEWARE"}
        return TransactionSettings(**own)

    @property
    def middleware(self) -> Mapping[str, Any]:
        """``TRANSACTION["MIDDLEWARE"]`` as it is; the middleware knows its keys."""
        transaction = self.raw.get("TRANSACTION", {})
        entry = transaction.get("MIDDLEWARE", {}) if isinstance(transaction, Mapping) else {}
        if not isinstance(entry, Mapping):
            raise ImproperlyConfigured(
                f'{SETTING}["TRANSACTION"]["MIDDLEWARE"] must be a dict, not '
                f"{type(entry).__name__}."
            )
        return entry


def mongodb_database_aliases() -> list[str]:
    """The ``DATABASES`` aliases whose vendor is ``mongodb``, without connecting to them."""
    from django.db import connections

    return [alias for alias in connections if connections[alias].vendor == "mongodb"]


def _connection(alias: str, entry: Any) -> ConnectionSettings:
    where = f'{SETTING}["CONNECTIONS"]["{alias}"]'
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f"{where} must be a dict, not {type(entry).__name__}.")
    refuse_unknown(where, entry, _CONNECTION_KEYS)
    if "DATABASE" in entry:
        if others := sorted(set(entry) - {"DATABASE"}):
            raise ImproperlyConfigured(
                f"{where} shares the client of a DATABASES alias, so {', '.join(others)} "
                f"would have no effect; remove DATABASE or the rest."
            )
        return ConnectionSettings(alias=alias, database=_text(where, entry, "DATABASE"))
    if not entry.get("NAME"):
        raise ImproperlyConfigured(f'{where} needs "NAME", the MongoDB database to use.')
    options = entry.get("OPTIONS") or {}
    if not isinstance(options, Mapping):
        raise ImproperlyConfigured(f'{where}["OPTIONS"] must be a dict of MongoClient arguments.')
    return ConnectionSettings(
        alias=alias,
        host=_text(where, entry, "HOST") or None,
        name=_text(where, entry, "NAME"),
        port=_port(where, entry.get("PORT")),
        user=_text(where, entry, "USER"),
        password=_text(where, entry, "PASSWORD"),
        options=dict(options),
    )


def _models(where: str, entry: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """A list of labels is meant for the connection "default"."""
    value = entry.get("MODELS", ())
    by_alias = value if isinstance(value, Mapping) else {"default": value}
    for labels in by_alias.values():
        if isinstance(labels, str) or not isinstance(labels, Sequence):
            raise ImproperlyConfigured(
                f'{where}["MODELS"] must be a list of "app" and "app.Model" labels, or a dict of '
                f"such lists by connection."
            )
        if bad := [label for label in labels if not isinstance(label, str)]:
            raise ImproperlyConfigured(
                f'{where}["MODELS"] holds {bad[0]!r}; write labels such as "app.Model".'
            )
    return {alias: tuple(labels) for alias, labels in by_alias.items() if labels}


def _paths(where: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ImproperlyConfigured(f'{where}["REFERENCES"] must be a list of dotted paths.')
    if bad := [path for path in value if not isinstance(path, str) or "." not in path]:
        raise ImproperlyConfigured(
            f'{where}["REFERENCES"] holds {bad[0]!r}; write dotted paths such as '
            f'"app.module.function".'
        )
    return tuple(value)


def _duration(where: str, entry: Mapping[str, Any]) -> timedelta:
    value = entry.get("GRACE")
    match value:
        case None:
            return timedelta(hours=48)
        case timedelta() if timedelta(0) <= value <= _LONGEST:
            return value
        case bool():
            pass
        case int() | float() if 0 <= value <= _LONGEST.total_seconds():
            return timedelta(seconds=value)
    raise ImproperlyConfigured(
        f'{where}["GRACE"] must be a timedelta or seconds, from 0 to {_LONGEST.days:,} days, not '
        f"{value!r}."
    )


def _uploads(where: str, entry: Any) -> UploadSettings:
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f"{where} must be a dict, not {type(entry).__name__}.")
    refuse_unknown(where, entry, _UPLOAD_KEYS)
    for key in ("MAX_SIZE", "MAX_TOTAL"):
        value = entry.get(key)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < 0
        ):
            raise ImproperlyConfigured(
                f'{where}["{key}"] must be a number of bytes or None, not {value!r}.'
            )
    return UploadSettings(
        storage=_text(where, entry, "STORAGE") or "default",
        max_size=entry.get("MAX_SIZE"),
        max_total=entry.get("MAX_TOTAL"),
        progress=_text(where, entry, "PROGRESS") or None,
    )


def _text(where: str, entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key) or ""
    if not isinstance(value, str):
        raise ImproperlyConfigured(f'{where}["{key}"] must be a string.')
    return value


def _port(where: str, value: Any) -> int | None:
    if value in (None, ""):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ImproperlyConfigured(f'{where}["PORT"] must be a number, not {value!r}.') from None


def _positive(where: str, entry: Mapping[str, Any], key: str) -> None:
    value = entry.get(key, 1)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ImproperlyConfigured(f'{where}["{key}"] must be a number above 0, not {value!r}.')


def refuse_unknown(where: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := [key for key in given if key not in known]:
        raise ImproperlyConfigured(
            f"{where} has the unknown key {unknown[0]!r}; known keys are {', '.join(known)}."
        )


settings = Settings()
