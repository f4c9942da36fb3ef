"""The settings dict ``DJONGO_SERVICES``: typed, read at each access, and checked.

Every property reads Django's settings at each access, so ``override_settings`` works. An unknown
key or a value of the wrong type raises :class:`~django.core.exceptions.ImproperlyConfigured` with
the setting's full name; ``manage.py check`` reports the same sentences as ``djongo_services.E002``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, Literal

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from djongo_services import setting_values
from djongo_services.setting_values import REST, RuleSet

SETTING = "DJONGO_SERVICES"
EXAMPLE = (
    f'{SETTING} = {{"CONNECTIONS": {{"default": '
    f'{{"HOST": "mongodb://localhost:27017", "NAME": "mydatabase"}}}}}}'
)
"""An example for projects without a connection."""
_SERVICES = ("ADMIN", "CONNECTIONS", "INSPECTION", "SCHEMA", "STORAGE", "TRANSACTION")
_ADMIN_KEYS = ("JOBS", "TIMEOUT", "TRANSACTION_HISTORY")
_TRANSACTION_KEYS = (
    "STANDALONE",
    "MAX_ATTEMPTS",
    "TIMEOUT",
    "COMMIT_TIMEOUT",
    "ROLLBACK_TIMEOUT",
    "SAVEPOINT_LOG",
    "SAVEPOINTS",
    "MIDDLEWARE",
)
_STORAGE_KEYS = (
    "REFERENCES",
    "SEARCH",
    "SEARCH_EXCLUDE",
    "EXCLUDE",
    "GRACE",
    "TRASH_DAYS",
    "ENCRYPTION_KEYS",
    "UPLOADS",
)
_SEARCHES = ("everything", "fields")
_UPLOAD_KEYS = ("STORAGE", "MAX_SIZE", "MAX_TOTAL", "PROGRESS")
_SCHEMA_KEYS = ("MODELS", "RULES", "SYNC_ON_MIGRATE")
_INSPECTION_KEYS = ("MUTE", "CHECK_SHAPES")
_STANDALONE = ("error", "single-document")
_SAVEPOINTS = ("replay", "off")
_CONNECTION_KEYS = ("DATABASE", "HOST", "NAME", "PORT", "USER", "PASSWORD", "OPTIONS", "TEST")
_TEST_KEYS = ("NAME", "MIRROR")


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
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
    password: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of ``MongoClient``; never displayed, because they may contain secrets."""
    test_name: str = ""
    """``TEST["NAME"]``: the database of a test run; by default ``test_`` followed by the name."""
    test_mirror: str | None = None
    """``TEST["MIRROR"]``: the alias whose test database this connection uses."""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alias={self.alias!r}, database={self.database!r}, "
            f"host={_without_secrets(self.host)!r}, name={self.name!r}, port={self.port!r}, "
            f"user={self.user!r})"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminSettings:
    """``ADMIN``: the pages in the admin."""

    jobs: str | None = None
    """Dotted path of a function that passes a job to the project's own queue; None: jobs run in
    threads of the process that serves the pages."""
    timeout: float = 1.7
    """The maximum time in seconds that a page waits for the server; with the rendering, a page
    takes less than two. Users can always choose to wait longer."""
    transaction_history: bool = True
    """Whether each process reports the outcomes of its transactions every ten seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TransactionSettings:
    """``TRANSACTION``: options of ``atomic``."""

    standalone: Literal["error", "single-document"] = "error"
    """On a server without transactions: raise an error, or keep each operation atomic by itself."""
    max_attempts: int = 10
    """The maximum number of times that ``run_in_transaction`` calls its function."""
    timeout: float = 30.0
    """Seconds after which ``run_in_transaction`` begins no further attempt."""
    commit_timeout: float = 20.0
    """Seconds for which a commit is repeated while its result is unknown."""
    rollback_timeout: float = 5.0
    """Seconds that ending an interrupted transaction on the server may take."""
    savepoints: Literal["replay", "off"] = "replay"
    """How the engine rolls back to a savepoint: restore what came before it, or roll back the
    whole transaction as without one."""
    savepoint_log: int = 16 << 20
    """Bytes of a transaction's writes that the engine keeps to restore them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InspectionSettings:
    """``INSPECTION``: what inspections leave out, and what a check reads."""

    mute: tuple[str, ...] = ()
    """Warnings that are counted but not shown: codes, paths and patterns as in ``--mute``."""
    check_shapes: bool = False
    """Whether ``check --database`` also reads a sample of documents and warns of invalid ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SchemaSettings:
    """``SCHEMA``: which models are synced where, when, and what their validators enforce."""

    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By connection, ``app`` and ``app.Model`` labels of the models whose documents it contains.
    Models that the ORM keeps in MongoDB need not be named."""
    rules: Mapping[str, RuleSet] = field(default_factory=dict)
    """Rules by ``app``, ``app.Model`` and ``*``. Other models have the rules ``"database"``."""
    sync_on_migrate: bool = False
    """Whether ``migrate`` also syncs the migrated apps' collections."""

    def rules_of(self, *labels: str) -> RuleSet:
        """The rules of the first of these labels in the setting, otherwise those of ``*``."""
        named = {label.lower(): rules for label, rules in self.rules.items()}
        found = (named.get(label.lower()) for label in (*labels, REST))
        return next((rules for rules in found if rules is not None), "database")


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadSettings:
    """``STORAGE["UPLOADS"]``: what ``GridFSUploadHandler`` accepts."""

    storage: str = "default"
    """The alias in ``STORAGES`` whose bucket uploads are stored in."""
    max_size: int | None = None
    """Bytes of one file; None: no limit."""
    max_total: int | None = None
    """Bytes of all files of one request."""
    progress: str | None = None
    """The dotted path of a function that is called with the progress of each upload."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageSettings:
    """``STORAGE``: files, and the collector of unreferenced ones."""

    references: tuple[str, ...] = ()
    """Dotted paths of functions that return names in use, beside the models' file fields."""
    search: Literal["everything", "fields"] = "everything"
    """Whether all texts of all databases are searched before a file is called unreferenced, or only
    fields of files and providers are queried."""
    search_exclude: tuple[str, ...] = ()
    """Patterns of tables and collections that are not searched."""
    exclude: tuple[str, ...] = ()
    """Patterns of file names that the collector ignores."""
    grace: timedelta = timedelta(hours=48)
    """The minimum age of files that the collector touches."""
    trash_days: int = 30
    """How long removed files can be restored before ``gridfs_gc --purge`` deletes them."""
    encryption_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Keys by name, 32 bytes in Base64 each; the first one encrypts new files."""
    uploads: UploadSettings = field(default_factory=UploadSettings)


class Settings:
    """``DJONGO_SERVICES``, with one property per service."""

    @property
    def raw(self) -> Mapping[str, Any]:
        value = getattr(django_settings, SETTING, {})
        return setting_values.section(SETTING, value, _SERVICES)

    @property
    def connections(self) -> dict[str, ConnectionSettings]:
        """Connections by alias, in the order of the setting.

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
        found = {alias: _connection(alias, entry) for alias, entry in entries.items()}
        _check_mirrors(found)
        return found

    @property
    def admin(self) -> AdminSettings:
        where, entry = self._service("ADMIN", _ADMIN_KEYS)
        setting_values.positive(where, entry, "TIMEOUT")
        return AdminSettings(
            jobs=setting_values.text(where, entry, "JOBS") or None,
            timeout=entry.get("TIMEOUT", AdminSettings().timeout),
            transaction_history=setting_values.flag(
                where, entry, "TRANSACTION_HISTORY", default=True
            ),
        )

    @property
    def inspection(self) -> InspectionSettings:
        where, entry = self._service("INSPECTION", _INSPECTION_KEYS)
        return InspectionSettings(
            mute=setting_values.mutes(where, entry),
            check_shapes=setting_values.flag(where, entry, "CHECK_SHAPES"),
        )

    @property
    def schema(self) -> SchemaSettings:
        where, entry = self._service("SCHEMA", _SCHEMA_KEYS)
        sync = setting_values.flag(where, entry, "SYNC_ON_MIGRATE")
        models = setting_values.models(where, entry)
        if unknown := [alias for alias in models if alias not in self.connections]:
            raise ImproperlyConfigured(
                f'{where}["MODELS"] names the connection {unknown[0]!r}, which does not exist.'
            )
        return SchemaSettings(
            models=models, rules=setting_values.rules(where, entry), sync_on_migrate=sync
        )

    @property
    def storage(self) -> StorageSettings:
        where, entry = self._service("STORAGE", _STORAGE_KEYS)
        keys = entry.get("ENCRYPTION_KEYS", {})
        if not isinstance(keys, Mapping) or not all(
            isinstance(each, str) for pair in keys.items() for each in pair
        ):
            raise ImproperlyConfigured(f'{where}["ENCRYPTION_KEYS"] must be a dict of strings.')
        search = entry.get("SEARCH", "everything")
        if search not in _SEARCHES:
            raise ImproperlyConfigured(
                f'{where}["SEARCH"] must be one of {", ".join(map(repr, _SEARCHES))}, not '
                f"{search!r}."
            )
        return StorageSettings(
            references=setting_values.paths(where, entry.get("REFERENCES", ())),
            search=search,
            search_exclude=setting_values.patterns(
                f'{where}["SEARCH_EXCLUDE"]', entry.get("SEARCH_EXCLUDE", ())
            ),
            exclude=setting_values.patterns(f'{where}["EXCLUDE"]', entry.get("EXCLUDE", ())),
            grace=setting_values.duration(where, entry),
            trash_days=setting_values.days(where, entry, "TRASH_DAYS", default=30),
            encryption_keys=dict(keys),
            uploads=_uploads(f'{where}["UPLOADS"]', entry.get("UPLOADS", {})),
        )

    @property
    def transaction(self) -> TransactionSettings:
        where, entry = self._service("TRANSACTION", _TRANSACTION_KEYS)
        given = tuple((key, type(entry[key]), entry[key]) for key in entry if key != "MIDDLEWARE")
        try:
            return _transaction(where, given)
        except TypeError:  # A value that cannot be hashed, and so is not valid either.
            return _transaction.__wrapped__(where, given)

    @property
    def middleware(self) -> Mapping[str, Any]:
        """``TRANSACTION["MIDDLEWARE"]`` unparsed; the middleware knows its keys."""
        transaction = self.raw.get("TRANSACTION", {})
        entry = transaction.get("MIDDLEWARE", {}) if isinstance(transaction, Mapping) else {}
        return setting_values.mapping(f'{SETTING}["TRANSACTION"]["MIDDLEWARE"]', entry)

    def _service(self, name: str, keys: tuple[str, ...]) -> tuple[str, Mapping[str, Any]]:
        """The full name of a service's setting, for messages, and its value."""
        where = f'{SETTING}["{name}"]'
        return where, setting_values.section(where, self.raw.get(name, {}), keys)


def mongodb_database_aliases() -> list[str]:
    """The ``DATABASES`` aliases whose vendor is ``mongodb``, without connecting to them."""
    from django.db import connections

    return [alias for alias in connections if connections[alias].vendor == "mongodb"]


@lru_cache(maxsize=8)
def _transaction(where: str, given: tuple[tuple[str, type, Any], ...]) -> TransactionSettings:
    """Cached, because each transaction reads them; by value, because the setting may be changed in
    place. The types are part of the key because ``True`` equals 1."""
    entry = {key: value for key, _, value in given}
    setting_values.choice(where, entry, "STANDALONE", _STANDALONE)
    if "MAX_ATTEMPTS" in entry and not isinstance(entry["MAX_ATTEMPTS"], int):
        raise ImproperlyConfigured(f'{where}["MAX_ATTEMPTS"] must be a whole number.')
    setting_values.choice(where, entry, "SAVEPOINTS", _SAVEPOINTS)
    for key in _TRANSACTION_KEYS[1:-2]:
        setting_values.positive(where, entry, key)
    return TransactionSettings(**{key.lower(): value for key, value in entry.items()})


def _connection(alias: str, entry: Any) -> ConnectionSettings:
    where = f'{SETTING}["CONNECTIONS"]["{alias}"]'
    setting_values.section(where, entry, _CONNECTION_KEYS)
    if "DATABASE" in entry:
        if others := sorted(set(entry) - {"DATABASE"}):
            raise ImproperlyConfigured(
                f"{where} shares the client of a DATABASES alias, so {', '.join(others)} "
                f"would have no effect; remove DATABASE or the rest."
            )
        return ConnectionSettings(
            alias=alias, database=setting_values.text(where, entry, "DATABASE")
        )
    if not entry.get("NAME"):
        raise ImproperlyConfigured(f'{where} needs "NAME", the MongoDB database to use.')
    options = entry.get("OPTIONS") or {}
    if not isinstance(options, Mapping):
        raise ImproperlyConfigured(f'{where}["OPTIONS"] must be a dict of MongoClient arguments.')
    return ConnectionSettings(
        alias=alias,
        host=setting_values.text(where, entry, "HOST") or None,
        name=setting_values.text(where, entry, "NAME"),
        port=setting_values.port(where, entry.get("PORT")),
        user=setting_values.text(where, entry, "USER"),
        password=setting_values.text(where, entry, "PASSWORD"),
        options=dict(options),
        **_test(f'{where}["TEST"]', entry.get("TEST") or {}),
    )


def _test(where: str, entry: Any) -> dict[str, Any]:
    setting_values.section(where, entry, _TEST_KEYS)
    name, mirror = (
        setting_values.text(where, entry, "NAME"),
        setting_values.text(where, entry, "MIRROR") or None,
    )
    if name and mirror:
        raise ImproperlyConfigured(f"{where} cannot have both NAME and MIRROR; remove one.")
    return {"test_name": name, "test_mirror": mirror}


def _check_mirrors(configured: Mapping[str, ConnectionSettings]) -> None:
    for alias, one in configured.items():
        if one.test_mirror is None:
            continue
        other = configured.get(one.test_mirror)
        if other is None or other.database is not None or other.test_mirror is not None:
            raise ImproperlyConfigured(
                f'{SETTING}["CONNECTIONS"]["{alias}"]["TEST"]["MIRROR"] must be a connection with '
                f"a NAME of its own and no MIRROR, not {one.test_mirror!r}."
            )


def _without_secrets(host: str | None) -> str | None:
    """The URI without user and password, and without its options, which may hold secrets too."""
    scheme, mark, rest = (host or "").partition("://")
    if not mark:
        return host
    _, credentials, servers = rest.rpartition("@")
    place, options, _ = servers.partition("?")
    return f"{scheme}://{'***@' if credentials else ''}{place}{'?***' if options else ''}"


def _uploads(where: str, entry: Any) -> UploadSettings:
    setting_values.section(where, entry, _UPLOAD_KEYS)
    for key in ("MAX_SIZE", "MAX_TOTAL"):
        value = entry.get(key)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < 0
        ):
            raise ImproperlyConfigured(
                f'{where}["{key}"] must be a number of bytes or None, not {value!r}.'
            )
    return UploadSettings(
        storage=setting_values.text(where, entry, "STORAGE") or "default",
        max_size=entry.get("MAX_SIZE"),
        max_total=entry.get("MAX_TOTAL"),
        progress=setting_values.text(where, entry, "PROGRESS") or None,
    )


settings = Settings()
