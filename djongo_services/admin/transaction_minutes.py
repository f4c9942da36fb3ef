"""The transactions of each minute: one document per minute, to which all processes add.

``{"_id": {"using": "default", "minute": <date>}, "committed": 12, "rolled_back": 1, "retried": 1,
"seconds": 0.8, "slowest": 0.2, "reasons": {"WriteConflict": 1}, "views": {"lend": {"committed": 12,
...}}, "longest": [{"view", "seconds", "outcome", "reason"}]}`` in the database of the connection.
What is zero is left out. Minutes are the server's, whatever the clocks of the processes say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from typing import Any, Final, Literal

from bson.codec_options import CodecOptions
from pymongo import DESCENDING
from pymongo.collection import Collection
from pymongo.database import Database

COLLECTION: Final = "djongo_services_transactions"
MINUTES: Final = 60
"""The number of minutes shown."""
KEPT_MINUTES: Final = 120
MOST_VIEWS: Final = 25
"""The number of views that a process reports individually for each minute, the slowest ones; the
others are reported together."""
MOST_REASONS: Final = 15
MOST_SLOW: Final = 5
"""The number of slowest transactions of each minute that are stored individually."""
LONGEST_NAME: Final = 120
OTHERS: Final = "…"
"""The name for views that are counted together."""
OUTSIDE: Final = ""
"""The view of transactions outside of requests."""

Document = dict[str, Any]
Mongo = Database[Document]
Outcome = Literal["committed", "rolled_back", "unknown"]


@dataclass(kw_only=True, slots=True)
class Count:
    """The counters of one view, of one minute, or the total."""

    committed: int = 0
    rolled_back: int = 0
    unknown: int = 0
    """Commits with an unknown result."""
    retried: int = 0
    """Retries that were begun."""
    seconds: float = 0.0
    """The total time of all transactions."""
    slowest: float = 0.0
    """The time of the longest one in seconds."""

    @property
    def finished(self) -> int:
        return self.committed + self.rolled_back + self.unknown

    @property
    def average(self) -> float:
        """The average time in seconds."""
        return self.seconds / self.finished if self.finished else 0.0

    def add_finished(self, outcome: Outcome, seconds: float) -> None:
        match outcome:
            case "committed":
                self.committed += 1
            case "rolled_back":
                self.rolled_back += 1
            case "unknown":
                self.unknown += 1
        self.seconds += seconds
        self.slowest = max(self.slowest, seconds)

    def add(self, other: Count) -> None:
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest = max(self.slowest, other.slowest)


_SUMMED = tuple(one.name for one in fields(Count) if one.name != "slowest")


@dataclass(frozen=True, kw_only=True, slots=True)
class SlowTransaction:
    view: str
    seconds: float
    outcome: Outcome
    reason: str
    """The kind of error that ended it; empty if there was none."""
    minute: datetime | None = None
    """When it ended; None until it is stored."""


@dataclass(kw_only=True, slots=True)
class MinuteTally:
    """The events of one minute. It is not thread-safe."""

    views: dict[str, Count] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    """The number of rollbacks and unknown results by the kind of the error."""
    longest: list[SlowTransaction] = field(default_factory=list)

    @property
    def total(self) -> Count:
        whole = Count()
        for one in self.views.values():
            whole.add(one)
        return whole

    def add_finished(self, view: str, outcome: Outcome, seconds: float, reason: str) -> None:
        self._view(view).add_finished(outcome, seconds)
        if outcome != "committed":
            self._add_reason(reason, 1)
        if len(self.longest) < MOST_SLOW or seconds > self.longest[-1].seconds:
            self._add_slow(
                [SlowTransaction(view=view, seconds=seconds, outcome=outcome, reason=reason)]
            )

    def add_retried(self, view: str) -> None:
        self._view(view).retried += 1

    def add(self, other: MinuteTally) -> None:
        for view, one in other.views.items():
            self._view(view).add(one)
        for reason, number in other.reasons.items():
            self._add_reason(reason, number)
        self._add_slow(other.longest)

    def _view(self, name: str) -> Count:
        one = self.views.get(name)
        if one is None:
            name = name if len(self.views) < 20 * MOST_VIEWS else OTHERS
            one = self.views.setdefault(name, Count())
        return one

    def _add_reason(self, name: str, number: int) -> None:
        if name not in self.reasons and len(self.reasons) >= MOST_REASONS:
            name = OTHERS
        self.reasons[name] = self.reasons.get(name, 0) + number

    def _add_slow(self, more: Iterable[SlowTransaction]) -> None:
        self.longest = nlargest(MOST_SLOW, [*self.longest, *more], key=lambda one: one.seconds)


class Minutes:
    """The documents of one connection. All methods raise PyMongo's errors."""

    def __init__(self, database: Mongo, using: str) -> None:
        self._database = database
        options: CodecOptions[Document] = CodecOptions(tz_aware=True)
        self._kept: Collection[Document] = database.get_collection(COLLECTION, options)
        self._using = using

    def now(self) -> datetime:
        """The time by the server's clock."""
        options: CodecOptions[Document] = CodecOptions(tz_aware=True)
        answer = self._database.client.admin.command("hello", codec_options=options)
        when: datetime = answer["localTime"]
        return when

    def add(self, minute: datetime, tally: MinuteTally) -> None:
        self._kept.update_one(
            {"_id": {"using": self._using, "minute": minute}}, _update(tally), upsert=True
        )

    def forget(self, before: datetime) -> None:
        # Without a TTL index, which would need another privilege. There are only some hundred
        # documents.
        self._kept.delete_many({"_id.minute": {"$lt": before}})

    def read(self) -> LastHour:
        start = {"$subtract": ["$$NOW", {"$literal": (MINUTES + 1) * 60_000}]}
        found = self._kept.aggregate(
            [
                {"$match": {"_id.using": {"$eq": self._using}}},
                {"$match": {"$expr": {"$gt": ["$_id.minute", start]}}},
                {"$set": {"now": "$$NOW"}},
            ]
        )
        documents = list(found)
        now = documents[0]["now"] if documents else datetime.now(UTC)
        return LastHour.of(documents, now)


@dataclass(frozen=True, kw_only=True, slots=True)
class LastHour:
    minutes: tuple[tuple[datetime, Count], ...]
    """The minutes, oldest first, without gaps; the last one is not over yet."""
    whole: MinuteTally
    slowest: tuple[SlowTransaction, ...]
    """The slowest transactions, slowest first, each with its minute."""

    @classmethod
    def of(cls, documents: Iterable[Document], now: datetime) -> LastHour:
        last = start_of_minute(now)
        counts = {last - timedelta(minutes=ago): Count() for ago in reversed(range(MINUTES))}
        whole = MinuteTally()
        slow: list[SlowTransaction] = []
        for document in documents:
            minute = document["_id"].get("minute")
            if minute in counts:
                tally = _tally(document, minute)
                counts[minute].add(_count(document))
                whole.add(tally)
                slow += tally.longest
        slowest = nlargest(2 * MOST_SLOW, slow, key=lambda one: one.seconds)
        return cls(minutes=tuple(counts.items()), whole=whole, slowest=tuple(slowest))


def start_of_minute(when: datetime) -> datetime:
    return when.replace(second=0, microsecond=0)


def escaped(name: str) -> str:
    """A name as a field in an update: without dots and dollars, neither empty nor too long."""
    name = _utf8(name)[:LONGEST_NAME]
    return "".join(f"%{ord(one):02X}" if one in "%.$\0" else one for one in name) or "%"


def unescaped(name: str) -> str:
    if name == "%":
        return ""
    for one in "\0$.%":
        name = name.replace(f"%{ord(one):02X}", one)
    return name


def _utf8(name: str) -> str:
    """The text without halves of surrogate pairs, which BSON refuses."""
    return name.encode("utf-8", "replace").decode()


def _update(tally: MinuteTally) -> Document:
    sums: dict[str, float] = {}
    most: dict[str, float] = {}
    for prefix, one in _counted(tally):
        numbers = {name: getattr(one, name) for name in _SUMMED}
        sums |= {f"{prefix}{name}": number for name, number in numbers.items() if number}
        if one.finished:
            most[f"{prefix}slowest"] = one.slowest
    sums |= {f"reasons.{escaped(name)}": number for name, number in tally.reasons.items()}
    slow = [
        {
            "view": _utf8(one.view)[:LONGEST_NAME],
            "seconds": one.seconds,
            "outcome": one.outcome,
            "reason": _utf8(one.reason)[:LONGEST_NAME],
        }
        for one in tally.longest
    ]
    longest = {"$each": slow, "$sort": {"seconds": DESCENDING}, "$slice": MOST_SLOW}
    update: Document = {"$inc": sums, "$max": most, "$push": {"longest": longest}}
    return {operator: values for operator, values in update.items() if values}


def _counted(tally: MinuteTally) -> Iterator[tuple[str, Count]]:
    yield "", tally.total
    chosen = nlargest(MOST_VIEWS, tally.views, key=lambda name: tally.views[name].seconds)
    named = {escaped(name): name for name in chosen if name != OTHERS}
    for name, view in named.items():
        yield f"views.{name}.", tally.views[view]
    rest = Count()
    for view in tally.views.keys() - set(named.values()):
        rest.add(tally.views[view])
    if rest.finished or rest.retried:
        yield f"views.{OTHERS}.", rest


def _tally(document: Mapping[str, Any], minute: datetime) -> MinuteTally:
    views, reasons = document.get("views") or {}, document.get("reasons") or {}
    slow = document.get("longest") or []
    return MinuteTally(
        views={unescaped(name): _count(one) for name, one in views.items()},
        reasons={unescaped(name): int(number) for name, number in reasons.items()},
        longest=[
            SlowTransaction(
                view=one["view"],
                seconds=one["seconds"],
                outcome=one["outcome"],
                reason=one["reason"],
                minute=minute,
            )
            for one in slow
        ],
    )


def _count(found: Mapping[str, Any]) -> Count:
    return Count(**{one.name: found[one.name] for one in fields(Count) if one.name in found})
