"""An error of a connection as one sentence in the reader's language, with its name and the next
step.

Addresses are included, user names and passwords never are.
"""

from __future__ import annotations

import re

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db import connections as databases
from django.utils.connection import ConnectionDoesNotExist
from django.utils.translation import gettext as _
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from djongo_services import server_errors
from djongo_services.conf import EXAMPLE, settings
from djongo_services.connections import Connection
from djongo_services.formatting import printable

_COMMAND = re.compile(r'execute command \{ (\w+): (?:"([^"]*)")?.*', re.DOTALL)
"""A refusal that quotes the whole command, with filters and signatures."""

_OPERATION = re.compile(r"\b_Op\.([A-Z_]+)")
"""An operation as PyMongo names it in some of its errors
(``_Op.UPDATE command document too large``), by the member of an enum."""


def unknown_connection(error: ConnectionDoesNotExist) -> str:
    if any(True for alias in settings.connections):
        return str(error)
    text = _("No MongoDB connection is configured; write %(example)s into your settings.")
    return text % {"example": EXAMPLE}


def address_of(connection: Connection) -> str:
    """``'archive' (db1:27017/archive)``, or the alias alone if HOST is invalid."""
    try:
        return f"{connection.alias!r} ({printable(connection.address)})"
    except ImproperlyConfigured:
        return repr(connection.alias)


def wrong_settings(error: Exception) -> str:
    """The sentence for settings that Django or one of the services refuses."""
    if isinstance(error.__cause__, ImportError):
        text = _(
            "The ENGINE of a DATABASES alias cannot be imported: %(reason)s; correct it, or "
            "install it: pip install 'djongo-services[backend]'."
        )
        return text % {"reason": printable(str(error.__cause__))}
    return printable(str(error))


def describe_error(error: Exception, connection: Connection) -> str:
    """The sentence for an error of PyMongo, the ORM or the settings that occurred on a
    connection."""
    if isinstance(error, DatabaseError) and isinstance(error.__cause__, PyMongoError):
        error = error.__cause__  # the backend wraps PyMongo's errors in Django's
    if isinstance(error, ImproperlyConfigured):
        return without_secrets(wrong_settings(error), connection).rstrip(".") + "."
    reason = without_secrets(_reason(error), connection)
    return _sentence(error) % {
        "connection": address_of(connection),
        "reason": reason,
        "code": getattr(error, "code", None),
    }


def _sentence(error: Exception) -> str:
    match error:
        case ServerSelectionTimeoutError():
            return _(
                "The MongoDB server of the connection %(connection)s cannot be reached: "
                "%(reason)s. Start the server, or correct HOST in the settings."
            )
        case OperationFailure():
            return _refusal(error)
        case AutoReconnect():
            return _(
                "The connection %(connection)s was lost: %(reason)s. Run the command again when "
                "the server is back."
            )
        case ConfigurationError() if "Sessions are not supported" in str(error):
            # Every supported server has sessions. PyMongo says this of a connection that it opened
            # while the member was starting or recovering.
            return _(
                "The member of the replica set that the connection %(connection)s uses is not "
                "ready. Run the command again when the server is back."
            )
        case ConfigurationError():
            return _("The connection %(connection)s has settings that PyMongo refuses: %(reason)s.")
        case DatabaseError():
            return _(
                "The database backend refuses the MongoDB server of the connection "
                "%(connection)s: %(reason)s. Install the backend's version that fits the server, "
                "or give the connection HOST and NAME of its own."
            )
    return _("The connection %(connection)s failed: %(reason)s.")


def _refusal(error: OperationFailure) -> str:
    """The server's response instead of a result."""
    match error:
        case OperationFailure(code=code) if code in server_errors.AUTHENTICATION_FAILED:
            return _(
                "The MongoDB server of the connection %(connection)s refused the user name or the "
                "password; correct USER and PASSWORD, or authSource, in the settings."
            )
        case OperationFailure(code=server_errors.UNAUTHORIZED):
            return _(
                "The user of the connection %(connection)s lacks a privilege: %(reason)s. Grant "
                "it, or use a connection of another user."
            )
        case ExecutionTimeout():
            return _(
                "The MongoDB server of the connection %(connection)s ended an operation that took "
                "too long: %(reason)s."
            )
        case OperationFailure(code=None):
            return _("The MongoDB server of the connection %(connection)s answered: %(reason)s.")
    return _(
        "The MongoDB server of the connection %(connection)s answered: %(reason)s (code %(code)s)."
    )


def without_secrets(text: str, connection: Connection) -> str:
    """``text`` with every password of the connection replaced by three asterisks.

    PyMongo quotes parts of a malformed URI in its errors (``Port must be an integer ...: 'pa'`` for
    ``mongodb://user:pa/ss@host``), so these parts are replaced too.
    """
    for secret in _secrets(connection):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text


def _secrets(connection: Connection) -> list[str]:
    """The passwords, longest first, so that a part never prevents the replacement of the whole."""
    host, *passwords = _configured(connection)
    found = set(passwords)
    if "://" in host and "@" in host:
        credentials = host.partition("://")[2].rpartition("@")[0]
        password = credentials.partition(":")[2]
        found |= {credentials, password, *re.split(r"[:/@?#\[\]]", password)}
    return sorted(filter(None, found), key=len, reverse=True)


def _configured(connection: Connection) -> tuple[str, str, str]:
    """HOST and the two places of a password, from the connection itself or the alias that it
    shares."""
    configured = connection.settings
    if configured.database is None:
        option = configured.options.get("password")
        return configured.host or "", configured.password, str(option or "")
    shared = databases.settings.get(configured.database, {})
    option = shared.get("OPTIONS", {}).get("password")
    return shared.get("HOST") or "", shared.get("PASSWORD") or "", str(option or "")


def _reason(error: Exception) -> str:
    """The error's own message on one line, without PyMongo's description of its topology."""
    text = str(error)
    if isinstance(error, OperationFailure):
        text = str((error.details or {}).get("errmsg") or text)
    text = re.split(r", Timeout: |, full error: ", text)[0]
    text = re.sub(r" \(configured timeouts: [^)]*\)", "", text)
    text = _COMMAND.sub(_named_command, text)
    text = _OPERATION.sub(lambda found: found[1].lower().replace("_", " "), text)
    return printable(text).rstrip(". ")


def _named_command(quoted: re.Match[str]) -> str:
    command, collection = quoted.groups()
    return f"execute {command} on {collection}" if collection else f"execute {command}"
