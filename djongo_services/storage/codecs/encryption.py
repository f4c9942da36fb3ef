"""Encrypted files: AES-256-GCM in blocks, so that a range needs only the blocks it touches.

Each file has a key of its own, derived (HKDF, RFC 5869) from one of the configured keys, a random
salt and the file's ``_id``. A block's nonce is its number, and the last block is marked. So blocks
cannot be swapped, taken from another file or cut off at the end, and no file can be passed off as
another one. Files that were written before the ``_id`` was part of the key are still read.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import bson
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from django.core.exceptions import ImproperlyConfigured

from djongo_services.storage.codecs.stage import FILE, ByteWindow, Codec, Stage
from djongo_services.storage.errors import CorruptFile, StorageError

BLOCK = 64 * 1024
"""Plain bytes in a block."""
LARGEST_BLOCK = 16 * 1024 * 1024
TAG = 16
KEY_BYTES = 32


_INFO = b"djongo_services file"
_IDS: CodecOptions[Any] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


class UnknownKey(StorageError):
    """A file was encrypted with a key that is not among the configured ones."""


class AesGcm(Codec):
    name: ClassVar[str] = "aes-gcm"
    random_access: ClassVar[bool] = True

    def __init__(self, keys: Mapping[str, str]) -> None:
        """``keys`` are 32 bytes each in Base64, by name; the first one encrypts, all of them
        decrypt.

        Raises ImproperlyConfigured, which never shows a key.
        """
        if not keys:
            raise ImproperlyConfigured(
                'Encrypted files need DJONGO_SERVICES["STORAGE"]["ENCRYPTION_KEYS"], such as '
                '{"2026": "<32 random bytes in Base64>"}.'
            )
        _package()
        self._keys = {name: _decoded(name, key) for name, key in keys.items()}

    def new_record(self) -> dict[str, Any]:
        return {
            "key": next(iter(self._keys)),
            "salt": secrets.token_bytes(16),
            "block": BLOCK,
            "bound": True,
        }

    def encoder(self, record: Mapping[str, Any]) -> Stage:
        return _Encrypt(self._cipher(record), _block(record))

    def decoder(self, record: Mapping[str, Any]) -> Stage:
        return _Decrypt(self._cipher(record), _block(record), first=0, to_the_end=True)

    def window(
        self, record: Mapping[str, Any], size: int, length: int, start: int, stop: int
    ) -> ByteWindow:
        block = _block(record)
        first, after = start // block, max(1, -(-stop // block))
        last = max(1, -(-size // block))
        to_the_end = after >= last
        stage = _Decrypt(self._cipher(record), block, first=first, to_the_end=to_the_end)
        return ByteWindow(
            start=first * (block + TAG),
            # Anything after the last block should not exist, and fails.
            stop=length if to_the_end else min(length, after * (block + TAG)),
            skip=start - first * block,
            stage=stage,
        )

    def _cipher(self, record: Mapping[str, Any]) -> Any:
        name = record.get("key")
        if not isinstance(name, str) or name not in self._keys:
            raise UnknownKey(
                f"The file was encrypted with the key {name!r}, which is not in "
                f'DJONGO_SERVICES["STORAGE"]["ENCRYPTION_KEYS"]; restore it, after the first one.'
            )
        ciphers, hashes, kdf = _package()
        derived = kdf.HKDF(
            algorithm=hashes.SHA256(),
            length=KEY_BYTES,
            salt=record["salt"],
            info=_INFO + _identity(record),
        ).derive(self._keys[name])
        return ciphers.AESGCM(derived)


def _identity(record: Mapping[str, Any]) -> bytes:
    """The file's ``_id``, if its key depends on it. Removing the mark changes the key as well."""
    if not record.get("bound"):
        return b""
    return bson.encode({"_id": record[FILE]}, codec_options=_IDS)


def _block(record: Mapping[str, Any]) -> int:
    """The block size. Raises ValueError for an impossible one."""
    block = int(record["block"])
    if not 0 < block <= LARGEST_BLOCK:
        raise ValueError(f"no block has {block} bytes")
    return block


class _Blocks(Stage):
    """Cuts its input into blocks. Which block is the last is known only at the end."""

    def __init__(self, cipher: Any, size: int, first: int) -> None:
        self._cipher = cipher
        self._size = size
        self._number = first
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._pending += data
        while len(self._pending) > self._size:
            block = bytes(self._pending[: self._size])
            del self._pending[: self._size]
            yield self._turn(block, last=False)

    def _turn(self, block: bytes, *, last: bool) -> bytes:
        nonce = self._number.to_bytes(12, "big")
        self._number += 1
        return self._convert(nonce, block, b"last" if last else b"more")

    @abstractmethod
    def _convert(self, nonce: bytes, block: bytes, mark: bytes) -> bytes:
        """Encrypt or decrypt one block."""


class _Encrypt(_Blocks):
    def __init__(self, cipher: Any, size: int) -> None:
        super().__init__(cipher, size, 0)

    def finish(self) -> Iterator[bytes]:
        yield self._turn(bytes(self._pending), last=True)

    def _convert(self, nonce: bytes, block: bytes, mark: bytes) -> bytes:
        encrypted: bytes = self._cipher.encrypt(nonce, block, mark)
        return encrypted


class _Decrypt(_Blocks):
    def __init__(self, cipher: Any, size: int, *, first: int, to_the_end: bool) -> None:
        super().__init__(cipher, size + TAG, first)
        self._to_the_end = to_the_end

    def finish(self) -> Iterator[bytes]:
        if out := self._turn(bytes(self._pending), last=self._to_the_end):
            yield out

    def _convert(self, nonce: bytes, block: bytes, mark: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            decrypted: bytes = self._cipher.decrypt(nonce, block, mark)
        except (InvalidTag, ValueError) as error:
            raise CorruptFile(
                f"The encrypted block {self._number - 1} was changed, or was cut off."
            ) from error
        return decrypted


def _decoded(name: str, key: str) -> bytes:
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, TypeError, ValueError):
        decoded = b""
    if len(decoded) != KEY_BYTES:
        raise ImproperlyConfigured(
            f'DJONGO_SERVICES["STORAGE"]["ENCRYPTION_KEYS"][{name!r}] must be {KEY_BYTES} bytes in '
            f"Base64."
        )
    return decoded


def _package() -> Any:
    try:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.ciphers import aead
        from cryptography.hazmat.primitives.kdf import hkdf
    except ImportError as error:
        raise ImproperlyConfigured(
            "Encrypted files need the package cryptography: "
            "pip install 'djongo-services[encryption]'."
        ) from error
    return aead, hashes, hkdf
