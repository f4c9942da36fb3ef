"""Doing a chore in a thread of this process, which goes on when the page has been answered."""

from __future__ import annotations

import atexit
import contextvars
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from bson import ObjectId
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.db import connections as databases
from django.utils import translation
from django.utils.translation import gettext as _
from pymongo.errors import PyMongoError

from djongo_services.admin.files.chores import Chores
from djongo_services.admin.patience import Mongo
from djongo_services.admin.slots import Slot, Status
from djongo_services.admin.troubles import trouble_text
from djongo_services.connections import Connection
from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection.progress import Progress, ProgressHook, Stop
from djongo_services.storage.collector import Interrupted

SECONDS = 1.2
"""How long a page waits for a chore that it has begun; most take less."""
EXIT_SECONDS = 5.0
MOST_AT_ONCE = 4
"""In this process."""

Work = Callable[[Mongo, Stop, ProgressHook], str]
"""Says at the end, in a sentence, what it did. Raises Interrupted when it was stopped."""

logger = logging.getLogger("djongo_services.admin")
_places = threading.BoundedSemaphore(MOST_AT_ONCE)
_under_way: set[Doing] = set()


class Stopped(Interrupted):
    """With a sentence of its own that tells how far it came."""


@dataclass(kw_only=True, eq=False)
class Doing:
    """A chore under way in this process."""

    connection: Connection
    bucket: str
    run: ObjectId
    work: Work
    stop: Stop = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    progress: Progress | None = None
    status: Status = "running"
    said: str = ""
    """How it ended."""
    language: str | None = field(default_factory=translation.get_language)

    def tell(self, progress: Progress) -> None:
        self.progress = progress


def reserve() -> bool:
    """Whether this process has room for one more; what is reserved is done or released."""
    return _places.acquire(blocking=False)


def release() -> None:
    _places.release()


def do(doing: Doing, seconds: float = SECONDS) -> bool:
    """Begin, and wait a moment; whether it has ended. The place has been reserved."""
    _under_way.add(doing)
    outside = contextvars.Context()
    threading.Thread(
        target=outside.run, args=(_run, doing), name="djongo_services-chore", daemon=True
    ).start()
    return doing.ended.wait(seconds)


def _run(doing: Doing) -> None:
    try:
        with translation.override(doing.language):
            chores = Chores(doing.connection.database, doing.bucket)
            doing.status, doing.said = _done(doing, chores.slot)
            chores.end(doing.run, doing.status, doing.said)
    except PyMongoError:
        # Nobody can be told: it has no sign of life any more, and counts as lost.
        logger.warning("The end of a chore could not be noted.", exc_info=True)
    finally:
        databases.close_all()
        _places.release()
        _under_way.discard(doing)
        doing.ended.set()


def _done(doing: Doing, slot: Slot) -> tuple[Status, str]:
    try:
        with slot.beating(doing.run, doing.stop, lambda: doing.progress):
            return "done", doing.work(doing.connection.database, doing.stop, doing.tell)
    except Stopped as error:
        return "stopped", str(error)
    except Interrupted:
        return "stopped", _("It was stopped; what was done stays done.")
    except (PyMongoError, DatabaseError, ImproperlyConfigured, DjongoServicesError) as error:
        text = trouble_text(error, doing.connection)
        logger.warning("A chore of %r failed: %s", doing.bucket, text)
        return "failed", text
    except Exception as error:
        # Whoever waits is told; what it is about is for the log.
        logger.exception("A chore of %r failed.", doing.bucket)
        return "failed", type(error).__name__


@atexit.register
def _interrupt() -> None:
    begun = list(_under_way)
    for doing in begun:
        doing.stop.set()
    for doing in begun:
        doing.ended.wait(EXIT_SECONDS)
