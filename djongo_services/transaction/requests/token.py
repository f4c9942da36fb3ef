"""What a client wrote, passed to its next request: signed, with a limited age, and never trusted
without a signature.

A MongoDB server accepts any cluster time, and without access control a client could advance its
clock. So times that a client stores are signed with SECRET_KEY, and a value without our signature
is ignored and logged.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from datetime import timedelta

import bson
from bson.errors import BSONError
from bson.timestamp import Timestamp
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from djongo_services.transaction.causal_consistency import Clock, Times
from djongo_services.transaction.requests.settings import MiddlewareSettings
from djongo_services.transaction.state import Key

logger = logging.getLogger("djongo_services.transaction")

NAME = "djongo_services_causal"
"""The name of the cookie, and of the key in the session."""
_SALT = "djongo_services.transaction.requests"
_LONGEST = 3000
"""The maximum number of characters; a longer value is not ours, and browsers keep cookies of up to
4,096."""

Tokens = Mapping[Key, Times]


def read_token(request: HttpRequest, settings: MiddlewareSettings) -> Tokens:
    """The stored times; nothing for a token that is missing, forged, damaged or too old."""
    match settings.read_your_writes:
        case "cookie":
            kept = request.COOKIES.get(NAME)
        case "session":
            session = getattr(request, "session", None)
            kept = None if session is None else session.get(NAME)
        case _:
            kept = None
    if not kept:
        return {}
    try:
        return _read(kept, settings.read_your_writes_max_age)
    except signing.SignatureExpired:
        _ignored(request, "expired", logging.INFO)
    except (signing.BadSignature, BSONError, KeyError, TypeError, ValueError):
        _ignored(request, "not signed by this site, or damaged", logging.WARNING)
    return {}


def keep_token(
    request: HttpRequest,
    response: HttpResponseBase,
    clocks: Mapping[Key, Clock],
    before: Tokens,
    settings: MiddlewareSettings,
) -> None:
    """Store the times where the client's next request will find them, after a request that wrote,
    or whose times were refused."""
    own = {key: (clock.cluster_time, clock.operation_time) for key, clock in clocks.items()}
    token = _write({**before, **own})
    if len(token) > _LONGEST:
        token = _write(own)
    if settings.read_your_writes == "session":
        session = getattr(request, "session", None)
        if session is not None:
            session[NAME] = token
        return
    response.set_cookie(
        NAME,
        token,
        max_age=round(settings.read_your_writes_max_age),
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def _write(times: Tokens) -> str:
    document = {
        ":".join(key): {"c": cluster, "o": operation}
        for key, (cluster, operation) in times.items()
        if operation is not None
    }
    packed = base64.urlsafe_b64encode(bson.encode(document)).decode("ascii")
    return signing.TimestampSigner(salt=_SALT).sign(packed)


def _read(token: object, max_age: float) -> Tokens:
    if not isinstance(token, str) or len(token) > _LONGEST:
        raise signing.BadSignature
    packed = signing.TimestampSigner(salt=_SALT).unsign(token, max_age=timedelta(seconds=max_age))
    found: dict[Key, Times] = {}
    for name, entry in bson.decode(base64.urlsafe_b64decode(packed)).items():
        kind, _, alias = name.partition(":")
        cluster, operation = entry["c"], entry["o"]
        if not isinstance(operation, Timestamp) or not _is_cluster_time(cluster):
            raise TypeError("no times")
        found[kind, alias] = (cluster, operation)
    return found


def _is_cluster_time(value: object) -> bool:
    """Whether PyMongo and the server take the value; a server without access control signs none."""
    match value:
        case {"clusterTime": Timestamp(), "signature": {"hash": bytes(), "keyId": int()}, **rest}:
            return not rest
        case {"clusterTime": Timestamp(), **rest}:
            return not rest
    return value is None


def _ignored(request: HttpRequest, why: str, level: int) -> None:
    logger.log(
        level,
        "A causal token was ignored, because it is %s.",
        why,
        extra={"request": request, "reason": why},
    )
