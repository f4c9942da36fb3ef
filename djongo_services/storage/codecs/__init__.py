"""Compression and encryption of files, off unless a storage asks for them.

What was done to a file stands in its ``metadata.codecs``, in order, and its plain length in
``metadata.size``: every storage of the project can read it, whatever its own options are.
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
