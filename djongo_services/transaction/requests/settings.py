"""``TRANSACTION["MIDDLEWARE"]``: how requests use the connections.

=============================  ==================================================================
``USING``                      the connections, by alias; without it, all of them
``SAFE_METHODS``               GET, HEAD, OPTIONS and TRACE: ``"session"`` (causally consistent
                               reads, no transaction), ``"snapshot"`` (reads of one moment, from
                               MongoDB 5.0 on), ``"transaction"``
``ROLLBACK_ON``                a function of request and response, or the path of one, that decides
                               whether a response rolls back the view's changes
``RENDERING``                  whether the rendering of a template response belongs to the view
``ATTEMPTS``                   how often a view may run at most when MongoDB asks for a retry
``BODY_LIMIT``                 bytes of a request's body that are kept for a further attempt
``READ_YOUR_WRITES``           ``"cookie"`` or ``"session"``: where to keep what a client wrote
``READ_YOUR_WRITES_MAX_AGE``   seconds for which that is accepted
``ALIASES``                    by alias: ``TRANSACTION`` (False: leave it alone),
                               ``SAFE_METHODS``, ``READ_CONCERN``, ``WRITE_CONCERN`` (a dict),
                               ``MAX_COMMIT_TIME`` (seconds)
=============================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from pymongo.errors import ConfigurationError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.conf import SETTING, settings
from djongo_services.setting_values import refuse_unknown
from djongo_services.transaction.options import Options

WHERE = f'{SETTING}["TRANSACTION"]["MIDDLEWARE"]'

SafeMethods = Literal["session", "snapshot", "transaction"]
Keeping = Literal["cookie", "session"]
RollbackOn = Callable[[HttpRequest, HttpResponseBase], bool]

_SAFE_METHODS = get_args(SafeMethods)
_KEYS = (
    "USING",
    "SAFE_METHODS",
    "ROLLBACK_ON",
    "RENDERING",
    "ATTEMPTS",
    "BODY_LIMIT",
    "READ_YOUR_WRITES",
    "READ_YOUR_WRITES_MAX_AGE",
    "ALIASES",
)
_ALIAS_KEYS = ("TRANSACTION", "SAFE_METHODS", "READ_CONCERN", "WRITE_CONCERN", "MAX_COMMIT_TIME")


def server_errors(request: HttpRequest, response: HttpResponseBase) -> bool:
    """The default of ROLLBACK_ON: whether the status is 500 or more, or a framework converted an
    exception into the response and set ``response.exception``, as Django REST framework does."""
    return response.status_code >= 500 or getattr(response, "exception", False) is True


def client_errors_too(request: HttpRequest, response: HttpResponseBase) -> bool:
    """For ROLLBACK_ON: whether the status is 400 or more."""
    return response.status_code >= 400 or server_errors(request, response)


@dataclass(frozen=True, kw_only=True, slots=True)
class AliasSettings:
    """How requests use one connection."""

    alias: str
    transaction: bool = True
    safe_methods: SafeMethods = "session"
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, kw_only=True, slots=True)
class MiddlewareSettings:
    aliases: Mapping[str, AliasSettings]
    rollback_on: RollbackOn = server_errors
    rendering: bool = False
    attempts: int = 1
    body_limit: int = 1024 * 1024
    """Bytes."""
    read_your_writes: Keeping | None = None
    read_your_writes_max_age: float = 60.0
    """Seconds."""


def middleware_settings() -> MiddlewareSettings:
    """Raises ImproperlyConfigured, naming the setting."""
    entry = settings.middleware
    refuse_unknown(WHERE, entry, _KEYS)
    kept = entry.get("READ_YOUR_WRITES")
    if kept not in (None, *get_args(Keeping)):
        raise ImproperlyConfigured(
            f'{WHERE}["READ_YOUR_WRITES"] must be "cookie", "session" or None, not {kept!r}.'
        )
    return MiddlewareSettings(
        aliases=_aliases(entry),
        rollback_on=_rollback_on(entry.get("ROLLBACK_ON")),
        rendering=_boolean(WHERE, entry, "RENDERING", False),
        attempts=_whole(entry, "ATTEMPTS", 1, least=1),
        body_limit=_whole(entry, "BODY_LIMIT", 1024 * 1024, least=0),
        read_your_writes=kept,
        read_your_writes_max_age=_seconds(WHERE, entry, "READ_YOUR_WRITES_MAX_AGE") or 60.0,
    )


def _aliases(entry: Mapping[str, Any]) -> dict[str, AliasSettings]:
    known = list(settings.connections)
    using = entry.get("USING", known)
    if not isinstance(using, list | tuple) or not all(isinstance(alias, str) for alias in using):
        raise ImproperlyConfigured(f'{WHERE}["USING"] must be a list of connections.')
    own = entry.get("ALIASES", {})
    if not isinstance(own, Mapping):
        raise ImproperlyConfigured(f'{WHERE}["ALIASES"] must be a dict by connection.')
    for alias in using:
        if alias not in known:
            raise ImproperlyConfigured(
                f'{WHERE}["USING"] names the connection {alias!r}, which does not exist.'
            )
    if strangers := [alias for alias in own if alias not in using]:
        raise ImproperlyConfigured(
            f'{WHERE}["ALIASES"] names {strangers[0]!r}, which requests do not use.'
        )
    default = _safe_methods(WHERE, entry, "session")
    return {alias: _alias(alias, own.get(alias, {}), default) for alias in using}


def _alias(alias: str, entry: Any, default: SafeMethods) -> AliasSettings:
    where = f'{WHERE}["ALIASES"]["{alias}"]'
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f"{where} must be a dict, not {type(entry).__name__}.")
    refuse_unknown(where, entry, _ALIAS_KEYS)
    return AliasSettings(
        alias=alias,
        transaction=_boolean(where, entry, "TRANSACTION", True),
        safe_methods=_safe_methods(where, entry, default),
        options=Options(
            read_concern=_read_concern(where, entry),
            write_concern=_write_concern(where, entry),
            max_commit_time=_seconds(where, entry, "MAX_COMMIT_TIME"),
        ),
    )


def _rollback_on(value: Any) -> RollbackOn:
    if value is None:
        return server_errors
    if isinstance(value, str):
        try:
            value = import_string(value)
        except ImportError as error:
            raise ImproperlyConfigured(f'{WHERE}["ROLLBACK_ON"]: {error}.') from None
    if not callable(value):
        raise ImproperlyConfigured(
            f'{WHERE}["ROLLBACK_ON"] must be a function of request and response, or its path.'
        )
    return cast(RollbackOn, value)


def _safe_methods(where: str, entry: Mapping[str, Any], default: SafeMethods) -> SafeMethods:
    value = entry.get("SAFE_METHODS", default)
    if value not in _SAFE_METHODS:
        raise ImproperlyConfigured(
            f'{where}["SAFE_METHODS"] must be one of {", ".join(map(repr, _SAFE_METHODS))}, '
            f"not {value!r}."
        )
    return cast(SafeMethods, value)


def _boolean(where: str, entry: Mapping[str, Any], key: str, default: bool) -> bool:
    value = entry.get(key, default)
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f'{where}["{key}"] must be True or False, not {value!r}.')
    return value


def _whole(entry: Mapping[str, Any], key: str, default: int, *, least: int) -> int:
    value = entry.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ImproperlyConfigured(
            f'{WHERE}["{key}"] must be a whole number from {least} on, not {value!r}.'
        )
    return value


def _seconds(where: str, entry: Mapping[str, Any], key: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ImproperlyConfigured(f'{where}["{key}"] must be a number above 0, not {value!r}.')
    return float(value)


def _read_concern(where: str, entry: Mapping[str, Any]) -> ReadConcern | None:
    value = entry.get("READ_CONCERN")
    if value is None or isinstance(value, ReadConcern):
        return value
    if value not in ("local", "majority", "snapshot"):
        raise ImproperlyConfigured(
            f'{where}["READ_CONCERN"] must be "local", "majority" or "snapshot", not {value!r}.'
        )
    return ReadConcern(value)


def _write_concern(where: str, entry: Mapping[str, Any]) -> WriteConcern | None:
    value = entry.get("WRITE_CONCERN")
    if value is None or isinstance(value, WriteConcern):
        return value
    try:
        return WriteConcern(**value)
    except (TypeError, ValueError, ConfigurationError) as error:
        raise ImproperlyConfigured(
            f'{where}["WRITE_CONCERN"] must be a dict such as {{"w": "majority"}}: {error}'
        ) from None
