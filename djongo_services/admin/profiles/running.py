"""Taking a profile in a thread of this process."""

from __future__ import annotations

import contextvars
import logging
import threading
from dataclasses import dataclass, field

from bson import ObjectId
from pymongo.errors import PyMongoError

from djongo_services.admin.profiles.documents import packed
from djongo_services.admin.profiles.keeping import LARGEST, Mongo, Profiles, Status, summary
from djongo_services.admin.troubles import trouble_text
from djongo_services.connections import Connection
from djongo_services.introspection import inspect_database
from djongo_services.introspection.progress import Progress
from djongo_services.introspection.rendering.numbers import size
from djongo_services.introspection.report import CollectionReport, Depth

BEAT_SECONDS = 0.5
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
        database = order.connection.database
        profiles = Profiles(database, order.collection)
        work = _Work(order, profiles)
        status, error, report = work.done(database)
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


class _Work:
    def __init__(self, order: Order, profiles: Profiles) -> None:
        self.order = order
        self.profiles = profiles
        self.progress: Progress | None = None

    def done(self, database: Mongo) -> tuple[Status, str | None, CollectionReport | None]:
        finished = threading.Event()
        heart = threading.Thread(target=self._beat, args=(finished,), daemon=True)
        heart.start()
        try:
            report = inspect_database(
                database,
                collections=[self.order.collection],
                depth=self.order.depth,
                progress=self._tell,
                stop=self.order.stop,
            )
        except Exception as error:  # noqa: BLE001 (whatever it is, who waits is told)
            return "failed", trouble_text(error, self.order.connection), None
        finally:
            finished.set()
            heart.join()
        found = report.collections[0]
        if self.order.stop.is_set():
            return "stopped", None, found
        if found.profile is None:
            said = [report.stopped, *(one.message for one in found.warnings)]
            return "failed", " ".join(filter(None, said)), None
        return "done", None, found

    def _tell(self, progress: Progress) -> None:
        self.progress = progress

    def _beat(self, finished: threading.Event) -> None:
        while not finished.wait(BEAT_SECONDS):
            try:
                goes_on = self.profiles.beat(self.order.run, self.progress)
            except PyMongoError:
                continue
            if not goes_on:
                self.order.stop.set()
