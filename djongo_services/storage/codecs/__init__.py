"""Compression and encryption of files, off unless a storage enables them.

A file's ``metadata.codecs`` lists its codecs, in order, and ``metadata.size`` is its plain length:
every storage of the project can read it, whatever its own options are.
"""

from __future__ import annotations

from djongo_services.storage.codecs.chain import Chain, chain_for, plain_size, register_codec
from djongo_services.storage.codecs.encryption import UnknownKey
from djongo_services.storage.codecs.stage import ByteWindow, Codec, Stage

__all__ = [
    "ByteWindow",
    "Chain",
    "Codec",
    "Stage",
    "UnknownKey",
    "chain_for",
    "plain_size",
    "register_codec",
]
