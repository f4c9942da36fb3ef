"""One sentence for why the server did not answer."""

from __future__ import annotations

from pymongo.errors import OperationFailure

from djongo_services.introspection.catalog import Unavailable

UNAUTHORIZED = 13
NAMESPACE_NOT_FOUND = 26


def unavailable(what: str, command: str, error: OperationFailure) -> Unavailable:
    """``what`` as in :class:`Unavailable`; ``command`` is what the server was asked."""
    if error.code == UNAUTHORIZED:
        return Unavailable(what=what, reason=f"The database user may not run {command}.")
    details = error.details or {}
    message = str(details.get("errmsg") or error).partition("\n")[0]
    name = details.get("codeName") or f"error {error.code}"
    return Unavailable(what=what, reason=f"{command} failed: {message[:200]} ({name}).")
