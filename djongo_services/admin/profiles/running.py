"""Taking a profile in a thread of this process."""

from __future__ import annotations

import contextvars
import logging
import threading
from dataclasses import dataclass, field

from bson import ObjectId
from pymongo.errors import PyMongoError

from djongo_services.admin.profiles.documents import packed
from djongo_services.admin.profiles.keeping import LARGEST, Profiles, summary
from djongo_services.admin.slots import Slot, Status
from djongo_services.admin.troubles import trouble_text
from djongo_services.connections import Connection
from djongo_services.introspection import inspect_database
from djongo_services.introspection.progress import Progress
from djongo_services.introspection.rendering.numbers import size
from djongo_services.introspection.report import CollectionReport, Depth

MOST_AT_ONCE = 4
"""In this process."""

logger = logging.getLogger("djongo_services.admin")
_places = threading.BoundedSemaphore(MOST_AT_ONCE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What is to be profiled, how, and for whom."""

    connection: Connection
    collection: str
    depth: Depth
    by: str
    run: ObjectId
    """Of :meth:`Profiles.begin`."""
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)


def reserve() -> bool:
    """Whether this process has room for one more; what is reserved is run or released."""
    return _places.acquire(blocking=False)


def release() -> None:
    _places.release()


def run_in_background(order: Order) -> None:
    """Begin; ``order.ended`` is set at the end. The place has been reserved."""
    outside = contextvars.Context()
    threading.Thread(
        target=outside.run, args=(_run, order), name="djongo_services-profile", daemon=True
    ).start()


def _run(order: Order) -> None:
    try:
        profiles = Profiles(order.connection.database, order.collection)
        status, error, report = _done(order, profiles.slot)
        result = None
        if report is not None and report.profile is not None:
            result = (summary(report, by=order.by), packed(report))
            if (length := len(result[1])) > LARGEST:
                status, result = "failed", None
                error = f"The profile has {size(length)} and is too large to be kept."
        profiles.end(order.run, status, error=error, result=result)
    except PyMongoError:
        # Nobody can be told: the run has no sign of life any more, and counts as lost.
        logger.warning("The profile of %r could not be kept.", order.collection, exc_info=True)
    finally:
        _places.release()
        order.ended.set()


def _done(order: Order, slot: Slot) -> tuple[Status, str | None, CollectionReport | None]:
    latest: Progress | None = None

    def tell(progress: Progress) -> None:
        nonlocal latest
        latest = progress

    try:
        with slot.beating(order.run, order.stop, lambda: latest):
            report = inspect_database(
                order.connection.database,
                collections=[order.collection],
                depth=order.depth,
                progress=tell,
                stop=order.stop,
            )
    except Exception as error:  # noqa: BLE001 (whatever it is, who waits is told)
        return "failed", trouble_text(error, order.connection), None
    found = report.collections[0]
    if order.stop.is_set():
        return "stopped", None, found
    if found.profile is None:
        said = [report.stopped, *(one.message for one in found.warnings)]
        return "failed", " ".join(filter(None, said)), None
    return "done", None, found
