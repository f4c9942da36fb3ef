"""System checks of ``MongoTransactionMiddleware`` and its position.

============================  =====================================================
``djongo_services.E002``      TRANSACTION["MIDDLEWARE"] is wrong
``djongo_services.W007``      ATOMIC_REQUESTS on a MongoDB alias does nothing
``djongo_services.W008``      the middleware is listed more than once
``djongo_services.W009``      the middleware is too far in
============================  =====================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connections as databases
from django.utils.module_loading import import_string

from djongo_services.conf import SETTING, mongodb_database_aliases, settings
from djongo_services.transaction.requests.settings import WHERE, middleware_settings

PATH = "djongo_services.middleware.MongoTransactionMiddleware"
STOCK_ENGINE = "django_mongodb_backend"

_SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
_SESSIONS_IN_DATABASE = (
    "django.contrib.sessions.backends.db",
    "django.contrib.sessions.backends.cached_db",
)
_USES_DATABASE = (
    "django.contrib.auth.middleware.PersistentRemoteUserMiddleware",
    "django.contrib.auth.middleware.RemoteUserMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware",
    "django.contrib.sites.middleware.CurrentSiteMiddleware",
)
"""Django's middleware that uses the ORM outside of the code that it calls."""


@checks.register(checks.Tags.compatibility)
def check_atomic_requests(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """Check a setting without effect: the stock backend has no transactions for Django."""
    return [
        checks.Warning(
            f'DATABASES["{alias}"]["ATOMIC_REQUESTS"] is True, but has no effect: '
            f"django_mongodb_backend has no transactions for Django.",
            hint=f'Remove it and add "{PATH}" to MIDDLEWARE.',
            obj=f'DATABASES["{alias}"]',
            id="djongo_services.W007",
        )
        for alias in databases
        if databases.settings[alias].get("ATOMIC_REQUESTS")
        and databases.settings[alias].get("ENGINE") == STOCK_ENGINE
    ]


@checks.register(checks.Tags.compatibility)
def check_middleware(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    try:
        settings.connections  # noqa: B018  (raises when the setting is wrong as a whole)
    except ImproperlyConfigured:
        return []  # check_settings reports it
    places = [place for place, path in enumerate(django_settings.MIDDLEWARE) if _is_ours(path)]
    try:
        middleware_settings()
        if not places:
            return []
        return [*_check_number(places), *_check_place(places[0])]
    except ImproperlyConfigured as error:
        return [checks.Error(str(error), obj=SETTING, id="djongo_services.E002")]


def has_middleware() -> bool:
    return any(_is_ours(path) for path in django_settings.MIDDLEWARE)


def _check_number(places: Sequence[int]) -> Iterator[checks.CheckMessage]:
    if len(places) > 1:
        yield checks.Warning(
            f"MongoTransactionMiddleware is listed {len(places)} times in MIDDLEWARE; only the "
            f"first has an effect.",
            hint=f'Leave the first "{PATH}" and remove the others.',
            obj="MIDDLEWARE",
            id="djongo_services.W008",
        )


def _check_place(place: int) -> Iterator[checks.CheckMessage]:
    outside = django_settings.MIDDLEWARE[:place]
    for_sessions = middleware_settings().read_your_writes == "session"
    if for_sessions and _SESSIONS not in outside:
        yield _misplaced(
            f'{WHERE}["READ_YOUR_WRITES"] is "session", but MongoTransactionMiddleware is not '
            f"inside of SessionMiddleware, so there is no session to keep the token in.",
            f'Put "{PATH}" after "{_SESSIONS}".',
        )
    if not mongodb_database_aliases():
        return
    sessions = () if for_sessions or not _sessions_are_in_database() else (_SESSIONS,)
    for path in outside:
        if path in (*_USES_DATABASE, *sessions):
            yield _misplaced(
                f"MongoTransactionMiddleware is inside of {path.rpartition('.')[2]}, which uses "
                f"the database: what that reads and writes is outside of the request's session.",
                f'Put "{PATH}" before "{path}".',
            )
            return


def _misplaced(sentence: str, hint: str) -> checks.CheckMessage:
    return checks.Warning(sentence, hint=hint, obj="MIDDLEWARE", id="djongo_services.W009")


def _sessions_are_in_database() -> bool:
    return django_settings.SESSION_ENGINE in _SESSIONS_IN_DATABASE


def _is_ours(path: str) -> bool:
    """Whether a path is our middleware or a subclass; Django reports what cannot be imported."""
    from djongo_services.middleware import MongoTransactionMiddleware

    if path == PATH:
        return True
    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, MongoTransactionMiddleware)
