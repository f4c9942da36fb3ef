"""An error of a connection as one sentence, with its name and the next step.

Addresses are included, user names and passwords never are.
"""

from __future__ import annotations

import re

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db import connections as databases
from django.utils.connection import ConnectionDoesNotExist
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
    if any(True for _ in settings.connections):
        return str(error)
    return f"No MongoDB connection is configured; write {EXAMPLE} into your settings."


def address_of(connection: Connection) -> str:
    """``'archive' (db1:27017/archive)``, or the alias alone if HOST is invalid."""
    try:
        return f"{connection.alias!r} ({printable(connection.address)})"
    except ImproperlyConfigured:
        return repr(connection.alias)


def wrong_settings(error: Exception) -> str:
    """The sentence for settings that Django or one of the services refuses."""
    if isinstance(error.__cause__, ImportError):
        return (
            f"The ENGINE of a DATABASES alias cannot be imported: {printable(str(error.__cause__))}"
            f"; correct it, or install it: pip install 'djongo-services[backend]'."
        )
    return printable(str(error))


def describe_error(error: Exception, connection: Connection) -> str:
    """The sentence for an error of PyMongo, the ORM or the settings that occurred on a
    connection."""
    if isinstance(error, DatabaseError) and isinstance(error.__cause__, PyMongoError):
        error = error.__cause__  # the backend wraps PyMongo's errors in Django's
    where = address_of(connection)
    reason = without_secrets(_reason(error), connection)
    match error:
        case ServerSelectionTimeoutError():
            return (
                f"The MongoDB server of the connection {where} cannot be reached: {reason}. "
                f"Start the server, or correct HOST in the settings."
            )
        case OperationFailure():
            return _describe_refusal(error, where, reason)
        case AutoReconnect():
            return (
                f"The connection {where} was lost: {reason}. "
                f"Run the command again when the server is back."
            )
        case ConfigurationError():
            return f"The connection {where} has settings that PyMongo refuses: {reason}."
        case DatabaseError():
            return (
                f"The database backend refuses the MongoDB server of the connection {where}: "
                f"{reason}. Install the backend's version that fits the server, or give the "
                f"connection HOST and NAME of its own."
            )
        case ImproperlyConfigured():
            return without_secrets(wrong_settings(error), connection).rstrip(".") + "."
        case _:
            return f"The connection {where} failed: {reason}."


def _describe_refusal(error: OperationFailure, where: str, reason: str) -> str:
    """The server's response instead of a result."""
    match error:
        case OperationFailure(code=code) if code in server_errors.AUTHENTICATION_FAILED:
            return (
                f"The MongoDB server of the connection {where} refused the user name or the "
                f"password; correct USER and PASSWORD, or authSource, in the settings."
            )
        case OperationFailure(code=server_errors.UNAUTHORIZED):
            return (
                f"The user of the connection {where} lacks a privilege: {reason}. "
                f"Grant it, or use a connection of another user."
            )
        case ExecutionTimeout():
            return (
                f"The MongoDB server of the connection {where} ended an operation that took "
                f"too long: {reason}."
            )
        case _:
            number = "" if error.code is None else f" (code {error.code})"
            return f"The MongoDB server of the connection {where} answered: {reason}{number}."


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
