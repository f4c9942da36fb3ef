"""Work that makes millions of short-lived objects, without the garbage collector in its way."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS = 50_000
"""Made before they are looked through; a batch of decoded documents has a tenth of that."""


@contextmanager
def quiet_gc() -> Iterator[None]:
    """What exists already is not looked through again and again, and new objects are not so often
    (half of the time otherwise). Where the program has frozen objects itself, they stay frozen.
    """
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    gc.set_threshold(_OBJECTS, *thresholds[1:])
    if not frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()
        gc.set_threshold(*thresholds)
