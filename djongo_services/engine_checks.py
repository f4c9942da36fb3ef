"""System checks of settings that contradict the engine, ``ENGINE = "djongo_services.backend"``.

============================  =====================================================
``djongo_services.W025``      aliases on the engine and without it share a server
``djongo_services.W026``      a check constraint is not enforced
``djongo_services.W027``      views cannot be retried within ATOMIC_REQUESTS
``djongo_services.W028``      a connection does not join the transactions of its alias
``djongo_services.E029``      tests would drop a database that the settings name
``djongo_services.E030``      writes that are not acknowledged cannot be in a transaction
``djongo_services.W031``      embedded models would get collections
``djongo_services.W032``      a setting of savepoints has no effect
============================  =====================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections as databases
from django.db import router
from django.db.models import CheckConstraint, Model
from django.db.utils import load_backend
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from djongo_services import database_names
from djongo_services.conf import SETTING, ConnectionSettings, settings
from djongo_services.connections import address_of
from djongo_services.embedded_models import is_embedded
from djongo_services.middleware_checks import has_middleware
from djongo_services.schema.constraints import check_queries
from djongo_services.schema.options import options_of, rules_of
from djongo_services.transaction.backend_connections import brings_transactions
from djongo_services.transaction.requests.settings import middleware_settings

ROUTER = "django_mongodb_backend.routers.MongoRouter"

_ENGINE = "djongo_services.backend"
_OF_SAVEPOINTS = ("SAVEPOINTS", "SAVEPOINT_LOG")


@checks.register(checks.Tags.compatibility)
def check_engine_settings(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    try:
        configured = settings.connections
        middleware_settings()
    except ImproperlyConfigured:
        return []  # check_settings reports it.
    engines, others = _aliases()
    return [
        *_check_savepoints(engines),
        *_check_mixture(engines, others),
        *_check_attempts(engines),
        *_check_connections(engines, configured),
        *_check_test_names(engines),
        *_check_write_concern(engines),
    ]


@checks.register(checks.Tags.models)
def check_models_on_the_engine(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    engines, _ = _aliases()
    if not engines:
        return []
    chosen = app_configs if app_configs is not None else apps.get_app_configs()
    models = [model for config in chosen for model in config.get_models()]
    try:
        return [
            *(one for model in models for one in _check_constraints(model, engines)),
            *_check_router(models, engines),
        ]
    except ImproperlyConfigured:
        return []  # check_settings reports it.


def _aliases() -> tuple[list[str], list[str]]:
    """The aliases of DATABASES on the engine, and those on MongoDB without it."""
    engines, others = [], []
    for alias in databases:
        try:
            wrapper = load_backend(databases.settings[alias]["ENGINE"]).DatabaseWrapper
        except ImproperlyConfigured:
            continue  # Django reports that when it is used.
        if brings_transactions(wrapper):
            engines.append(alias)
        elif wrapper.vendor == "mongodb":
            others.append(alias)
    return engines, others


def _check_savepoints(engines: list[str]) -> Iterator[checks.CheckMessage]:
    chosen = settings.raw.get("TRANSACTION", {})
    for key in _OF_SAVEPOINTS:
        where = f'{SETTING}["TRANSACTION"]["{key}"]'
        if key in chosen and not engines:
            yield _warning(
                "W032",
                SETTING,
                f'{where} has no effect: no alias of DATABASES has ENGINE = "{_ENGINE}".',
                f'Remove it, or set ENGINE to "{_ENGINE}".',
            )
    if engines and "SAVEPOINT_LOG" in chosen and chosen.get("SAVEPOINTS") == "off":
        yield _warning(
            "W032",
            SETTING,
            f'{SETTING}["TRANSACTION"]["SAVEPOINT_LOG"] has no effect: SAVEPOINTS is "off".',
            "Remove one of the two.",
        )


def _check_mixture(engines: list[str], others: list[str]) -> Iterator[checks.CheckMessage]:
    for other in others:
        for alias in engines:
            if _servers_of(other) == _servers_of(alias):
                yield _warning(
                    "W025",
                    f'DATABASES["{other}"]',
                    f'DATABASES["{other}"] is on the same server as DATABASES["{alias}"], but not '
                    f"on the engine: transaction.atomic does nothing for it, and its migrations "
                    f"write no validators.",
                    f'Set its ENGINE to "{_ENGINE}", too.',
                )
                break


def _check_attempts(engines: list[str]) -> Iterator[checks.CheckMessage]:
    attempts = middleware_settings().attempts
    if attempts <= 1 or not has_middleware():
        return
    for alias in engines:
        if databases.settings[alias].get("ATOMIC_REQUESTS"):
            yield _warning(
                "W027",
                f'DATABASES["{alias}"]',
                f'{SETTING}["TRANSACTION"]["MIDDLEWARE"]["ATTEMPTS"] is {attempts}, but views '
                f"cannot be retried within the transaction that ATOMIC_REQUESTS begins around "
                f"them: after a write conflict it can only be rolled back.",
                "Remove ATOMIC_REQUESTS: MongoTransactionMiddleware makes each view atomic.",
            )


def _check_connections(
    engines: list[str], configured: Mapping[str, ConnectionSettings]
) -> Iterator[checks.CheckMessage]:
    for alias in engines:
        own = configured.get(alias)
        if own is None or own.database is not None:
            continue
        if own.name == databases.settings[alias]["NAME"] and _address(own) == _servers_of(alias):
            yield _warning(
                "W028",
                SETTING,
                f'{SETTING}["CONNECTIONS"]["{alias}"] has a client of its own for the database of '
                f'DATABASES["{alias}"], so that what it writes is not a part of the '
                f"transactions of the ORM.",
                f'Write {{"DATABASE": "{alias}"}} to share the client.',
            )


def _check_test_names(engines: list[str]) -> Iterator[checks.CheckMessage]:
    if database_names.is_testing():
        return  # The settings contain the names of the test databases instead of the real ones.
    for alias in engines:
        name = (databases.settings[alias].get("TEST") or {}).get("NAME")
        for other in engines:
            if name == databases.settings[other]["NAME"] and _servers_of(alias) == _servers_of(
                other
            ):
                yield checks.Error(
                    f'DATABASES["{alias}"]["TEST"]["NAME"] is {name!r}, the database of '
                    f'DATABASES["{other}"]: a test run would drop it.',
                    hint="Choose another name, or remove it: test_ and the name is the default.",
                    obj=f'DATABASES["{alias}"]',
                    id="djongo_services.E029",
                )
                break


def _check_write_concern(engines: list[str]) -> Iterator[checks.CheckMessage]:
    for alias in engines:
        if _write_concern(databases.settings[alias]) == 0:
            yield checks.Error(
                f'DATABASES["{alias}"] has the write concern w=0: writes that are not '
                f"acknowledged cannot be a part of a transaction; transaction.atomic fails.",
                hint="Remove w from its OPTIONS and HOST.",
                obj=f'DATABASES["{alias}"]',
                id="djongo_services.E030",
            )


def _check_constraints(model: type[Model], engines: list[str]) -> Iterator[checks.CheckMessage]:
    names = [
        str(constraint.name)
        for constraint in model._meta.constraints
        if isinstance(constraint, CheckConstraint)
    ]
    if not names or is_embedded(model) or not _is_migrated(model, engines):
        return
    if (reason := _why_not_enforced(model)) is not None:
        yield _unenforced(model, f"Check constraints ({', '.join(names)}) are", *reason)
        return
    for problem in check_queries(model, backend=True)[1]:
        constraint = problem.subject.rpartition(" ")[2]
        hint = "Write the condition in another way, or leave it to full_clean()."
        yield _unenforced(model, f"The check constraint {constraint} is", problem.reason, hint)


def _why_not_enforced(model: type[Model]) -> tuple[str, str] | None:
    """The reason that applies to all constraints of the model, and what to do."""
    options = options_of(model)
    if rules_of(model) == "off":
        return (
            'The rules of the model are "off", so that its collection has no validator.',
            f'Choose "database" in {SETTING}["SCHEMA"]["RULES"] or @collection_options(rules=).',
        )
    if options.time_series is not None or options.view:
        kind = "A view" if options.view else "A time-series collection"
        return f"{kind} cannot have a validator.", "Remove them, or leave them to full_clean()."
    if options.validation_level == "off" or options.validation_action == "warn":
        said = (
            'validation_level="off"'
            if options.validation_level == "off"
            else 'validation_action="warn"'
        )
        return (
            f"The model has @collection_options({said}), so the server accepts documents that "
            f"violate them.",
            "Remove that option, or the constraints.",
        )
    return None


def _unenforced(model: type[Model], subject: str, reason: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(
        f"{subject} not enforced on the engine. {reason}",
        hint=hint,
        obj=model,
        id="djongo_services.W026",
    )


def _check_router(
    models: Sequence[type[Model]], engines: list[str]
) -> Iterator[checks.CheckMessage]:
    found = next((model for model in models if _would_get_a_collection(model, engines)), None)
    if found is not None:
        yield _warning(
            "W031",
            "DATABASE_ROUTERS",
            f"Migrations create collections for embedded models, such as {found._meta.label}, and "
            f"dumpdata reads them: DATABASE_ROUTERS has no router that prevents it.",
            f'Add "{ROUTER}" to DATABASE_ROUTERS.',
        )


def _would_get_a_collection(model: type[Model], engines: list[str]) -> bool:
    meta = model._meta
    return is_embedded(model) and not meta.abstract and _is_migrated(model, engines)


def _is_migrated(model: type[Model], engines: list[str]) -> bool:
    meta = model._meta
    return (
        meta.managed
        and not meta.proxy
        and any(router.allow_migrate_model(alias, model) for alias in engines)
    )


def _servers_of(alias: str) -> str:
    return _address(ConnectionSettings(alias=alias, database=alias))


def _address(configured: ConnectionSettings) -> str:
    """The address; empty if it cannot be determined, which check_settings reports."""
    try:
        return address_of(configured)
    except (ImproperlyConfigured, PyMongoError, ValueError):
        return ""


def _write_concern(entry: Mapping[str, Any]) -> Any:
    host = entry.get("HOST") or ""
    options = {key.lower(): value for key, value in (entry.get("OPTIONS") or {}).items()}
    if "w" not in options and host.startswith("mongodb://"):
        try:
            options |= parse_uri(host, warn=False)["options"]
        except (PyMongoError, ValueError):
            return None
    return options.get("w")


def _warning(number: str, obj: str, message: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(message, hint=hint, obj=obj, id=f"djongo_services.{number}")
