"""The key of a document in a URL: the bytes of its ``_id``, whatever its type is.

An ObjectId is written as its 24 digits, any other value as its bytes. If the ``_id`` is a secret
that the user may not see, the bytes are sealed: only this site can read them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

import bson
from bson import ObjectId
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from django.utils.crypto import salted_hmac

from djongo_services.bson_decoding import LENIENT
from djongo_services.introspection.profiling.walk import identity, value_end

LONGEST_LINKED: Final = 1_200
"""The maximum number of characters in a URL; longer keys are sent by a form."""
LONGEST_SENT: Final = 8_000
"""The maximum number of characters that a form sends; a list has one form for each document."""
LONGEST_TURNED: Final = 250_000
"""The maximum number of characters that the form for the next page sends."""

_OBJECT_ID: Final = 0x07
_TEXT: Final = re.compile(r"[0-9a-f]{24}")
_VALUE_AT: Final = 9
"""The position of the value in a document that has only ``_id``: after its length, type and
name."""
_SEALED: Final = "~"
_SALT: Final = "djongo_services.admin.documents.keys"
_TAG: Final = 16


@dataclass(frozen=True, slots=True)
class DocumentId:
    bson: bytes
    """A document that contains only ``_id``, as it is in the database."""

    @classmethod
    def of(cls, document: bytes) -> DocumentId | None:
        """None for a document without ``_id``, which views may return."""
        found = identity(document)
        return None if found is None else cls(found)

    @classmethod
    def of_value(cls, value: Any) -> DocumentId | None:
        """None for a value that BSON does not support."""
        try:
            return cls(bson.encode({"_id": value}, codec_options=LENIENT))
        except (BSONError, TypeError, ValueError, OverflowError):
            return None

    @property
    def type(self) -> int:
        """The number of its BSON type."""
        return self.bson[4]

    @property
    def value(self) -> Any:
        return bson.decode(self.bson, LENIENT)["_id"]

    def operand(self, operator: str) -> RawBSONDocument:
        """``{"$gt": <value>}`` with the value unchanged."""
        element = bytes((self.type,)) + operator.encode() + b"\0" + self.bson[_VALUE_AT:]
        return RawBSONDocument((len(element) + 4).to_bytes(4, "little") + element)

    def text(self, *, is_sealed: bool = False, context: str = "") -> str:
        """The text for a URL; :meth:`parse` reads it, a sealed one only with the same
        ``context``."""
        if self.type == _OBJECT_ID and not is_sealed:
            return str(ObjectId(self.bson[_VALUE_AT:-1]))
        data = bytes((self.type,)) + self.bson[_VALUE_AT:-1]
        if is_sealed:
            return _SEALED + _coded(_seal(data, context))
        return _coded(data)

    @classmethod
    def parse(cls, text: str, *, context: str = "") -> tuple[DocumentId, bool]:
        """The key, and whether it was sealed; ValueError for texts that :meth:`text` does not
        produce."""
        if _TEXT.fullmatch(text):
            return cls(bson.encode({"_id": ObjectId(text)})), False
        is_sealed = text.startswith(_SEALED)
        data = _decoded(text.removeprefix(_SEALED))
        if is_sealed:
            data = _unseal(data, context)
        key = cls._from(data)
        return key, is_sealed

    @classmethod
    def _from(cls, data: bytes) -> DocumentId:
        element = data[:1] + b"_id\0" + data[1:]
        document = (len(element) + 5).to_bytes(4, "little") + element + b"\0"
        try:
            # Exactly one value, with nothing after it, which a decoder accepts, too.
            if not data or value_end(document, data[0], _VALUE_AT) != len(document) - 1:
                raise ValueError
            bson.decode(document, LENIENT)
        except (BSONError, ValueError, IndexError, OverflowError, TypeError, ArithmeticError):
            raise ValueError("no document is named so") from None
        except Exception as error:  # struct.error, for a truncated value
            raise ValueError("no document is named so") from error
        return cls(document)


def _coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("no document is named so") from None
    if _coded(data) != text:
        raise ValueError("no document is named so")
    return data


# Sealed with a key derived from the site's SECRET_KEY: a tag of the bytes is the beginning of a
# stream that encrypts them (SIV with HMAC-SHA256), so each key has exactly one address, and
# addresses cannot be made up.
def _seal(data: bytes, context: str) -> bytes:
    tag = _tag(data, context)
    return tag + _covered(data, tag, context)


def _unseal(sealed: bytes, context: str) -> bytes:
    tag, covered = sealed[:_TAG], sealed[_TAG:]
    data = _covered(covered, tag, context)
    if not hmac.compare_digest(tag, _tag(data, context)):
        raise ValueError("no document is named so")
    return data


def _tag(data: bytes, context: str) -> bytes:
    key = salted_hmac(f"{_SALT}.tag", context, algorithm="sha256").digest()
    return hmac.digest(key, data, "sha256")[:_TAG]


def _covered(data: bytes, tag: bytes, context: str) -> bytes:
    key = salted_hmac(f"{_SALT}.cover", context, algorithm="sha256").digest()
    stream = _stream(key, tag)
    cover = b"".join(next(stream) for _ in range(-(-len(data) // hashlib.sha256().digest_size)))
    return bytes(a ^ b for a, b in zip(data, cover, strict=False))


def _stream(key: bytes, tag: bytes) -> Iterator[bytes]:
    for number in count():
        yield hmac.digest(key, tag + number.to_bytes(8, "big"), "sha256")
