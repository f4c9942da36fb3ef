"""Links that are valid for some time: ``signed_url(storage, "2024/a.png", expires=300)``.

The signature is Django's: made with SECRET_KEY, accepted with SECRET_KEY_FALLBACKS too, and valid
for one name in one storage only.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from urllib.parse import quote, urljoin

from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature, SignatureExpired, TimestampSigner
from django.utils.encoding import filepath_to_uri

from djongo_services.storage.serving.protocol import ServedStorage

PARAMETER = "signature"
"""The URL's query parameter: ``seconds:time:signature``."""

_FORM = re.compile(r"([0-9]{1,10}):[0-9A-Za-z]{1,12}:[0-9A-Za-z_-]{1,100}")


def signed_url(storage: ServedStorage, name: str, *, expires: int | timedelta | None = None) -> str:
    """The URL of a file, served until ``expires`` (seconds) from now, also by a private storage.

    Without ``expires``, the storage's ``url_expires`` is used. Raises ValueError if that is not
    positive, and if the storage has no base URL.
    """
    seconds = storage.url_expires if expires is None else expires
    if isinstance(seconds, timedelta):
        seconds = int(seconds.total_seconds())
    if not 0 < seconds < 10**10:
        raise ValueError(f"A link expires after some seconds, not after {seconds!r}.")
    # The name as the view will see it.
    name = name.replace("\\", "/").lstrip("/")
    signed = _signer(storage).sign(f"{seconds}:{name}")
    time_and_signature = ":".join(signed.rsplit(":", 2)[-2:])
    signature = quote(f"{seconds}:{time_and_signature}", safe=":")
    return f"{plain_url(storage, name)}?{PARAMETER}={signature}"


def plain_url(storage: ServedStorage, name: str) -> str:
    """Raises ValueError when the storage has no base URL."""
    if storage.base_url is None:
        raise ValueError("This file is not accessible via a URL: the storage has no base_url.")
    return urljoin(storage.base_url, filepath_to_uri(name).lstrip("/"))


def check_signature(storage: ServedStorage, name: str, signature: str | None) -> None:
    """Raises PermissionDenied unless it is a valid signature of ``name`` that has not expired."""
    match = _FORM.fullmatch(signature or "")
    if match is None:
        raise PermissionDenied("This file is served to signed links only.")
    seconds, _, rest = match[0].partition(":")
    try:
        _signer(storage).unsign(f"{seconds}:{name}:{rest}", max_age=int(seconds))
    except SignatureExpired:
        raise PermissionDenied("This link has expired.") from None
    except (BadSignature, UnicodeEncodeError):  # A name may contain halves of surrogate pairs.
        raise PermissionDenied("The signature of this link is not that of the file.") from None


def _signer(storage: ServedStorage) -> TimestampSigner:
    place = json.dumps([storage.using, storage.bucket_name, storage.location])
    return TimestampSigner(salt=f"djongo_services.storage.serving:{place}")
