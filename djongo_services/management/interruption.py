"""Ctrl-C, twice: the first asks the work to end with what it has, the second leaves at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from djongo_services.progress import Stop

INTERRUPTED = 130
"""Exit code, as shells have it for a program that SIGINT ended (128 + 2)."""

SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stop_on_interrupt() -> Iterator[Stop]:
    """An event that the first SIGINT of the block sets.

    Outside of the main thread no signal can be handled, and the event is nobody's but the
    caller's.
    """
    stop = threading.Event()
    # Somebody else may have set the event, and the first SIGINT still leaves nothing half done.
    pressed = threading.Event()

    def interrupted(signum: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            _leave()
        pressed.set()
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = signal.signal(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def plain_interrupts() -> Iterator[None]:
    """Inside of :func:`stop_on_interrupt`, Ctrl-C is KeyboardInterrupt again: while a question
    waits for its answer there is no work to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _leave() -> None:
    # Unwinding would wait for the threads that work, perhaps for a server that is gone.
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), SHOW_CURSOR.encode())
    os._exit(INTERRUPTED)
