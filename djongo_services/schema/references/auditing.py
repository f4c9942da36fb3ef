"""Dangling references, counted by the server."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from djongo_services.bson_decoding import LENIENT
from djongo_services.introspection.path import Path, query_path
from djongo_services.introspection.profiling.extraction import Stage, extraction, levels
from djongo_services.introspection.profiling.interruption import aggregate
from djongo_services.introspection.profiling.references.verifying import join
from djongo_services.introspection.profiling.source import reason
from djongo_services.progress import Progress, ProgressHook, Stop

Document = dict[str, Any]
_SIMPLE = {"locale": "simple"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignReference:
    """Values in one collection that should be keys of another."""

    model: str
    """The label of the model that declares it: ``archive.Loan``."""
    collection: str
    path: Path
    """``("book_id",)``, ``("steps", ELEMENT, "who_id")``."""
    target: str
    target_path: Path = ("_id",)


@dataclass(frozen=True, kw_only=True, slots=True)
class DanglingExample:
    id: Any
    """The ``_id`` of a document with the value."""
    value: Any
    """The value, which is not a key of the target."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DanglingReferences:
    """What dangles of one reference, or why that is unknown."""

    reference: ForeignReference
    documents: int = 0
    """Documents with at least one value that is not a key of the target."""
    values: int = 0
    """The number of different such values."""
    examples: tuple[DanglingExample, ...] = ()
    """Examples of different values, in BSON order."""
    unavailable: str | None = None
    """The reason, as a sentence, if the server refused; everything else is empty then."""


def audit_references(
    database: Database[Document],
    references: Iterable[ForeignReference],
    *,
    examples: int = 5,
    stop: Stop | None = None,
    progress: ProgressHook | None = None,
) -> tuple[DanglingReferences, ...]:
    """The references that dangle, and those that could not be checked; empty if all are valid.

    Null and missing values refer to nothing and are valid; if a target does not exist, every value
    dangles. Each reference is one scan of its collection, on the server, which may use its disk;
    for references in arrays, if some dangle, a second scan with one lookup per element counts
    documents. Reads use the database's read preference, outside of any session or transaction that
    the caller has bound.

    Raises :class:`~.profiling.interruption.Interrupted` after ``stop``, and PyMongo's errors when
    the connection is lost.
    """
    database = database.with_options(codec_options=LENIENT)
    # An event makes each operation use a session of its own, whatever the caller has bound.
    stop = stop or threading.Event()
    wanted = tuple(references)
    found = []
    for number, reference in enumerate(wanted):
        if progress is not None:
            at = Progress(
                collection=reference.collection,
                phase="references",
                done=number,
                total=len(wanted),
            )
            progress(at)
        dangling = _audit(database, reference, examples, stop)
        if dangling is not None:
            found.append(dangling)
    return tuple(found)


def _audit(
    database: Database[Document], reference: ForeignReference, examples: int, stop: Stop
) -> DanglingReferences | None:
    collection = database[reference.collection]
    try:
        (row,) = aggregate(
            collection, _pipeline(collection, reference, examples, stop), stop=stop, **_options()
        )
        if not row["counts"]:
            return None
        (counts,) = row["counts"]
        if levels(reference.path):
            counts["documents"] = _count_documents(collection, reference, stop)
    except OperationFailure as error:
        return DanglingReferences(
            reference=reference, unavailable=reason(reference.collection, error)
        )
    return DanglingReferences(
        reference=reference,
        documents=counts["documents"],
        values=counts["values"],
        examples=tuple(
            DanglingExample(id=one.get("document"), value=one["_id"])
            for one in row["examples"][:examples]
        ),
    )


def _pipeline(
    collection: Collection[Document], reference: ForeignReference, examples: int, stop: Stop
) -> Sequence[Stage]:
    counts = {"_id": None, "values": {"$sum": 1}, "documents": {"$sum": "$n"}}
    return [
        *extraction([reference.path], beside={}, with_id=True),
        *join(collection, reference.target, reference.target_path, stop=stop),
        {"$match": {"known": False}},
        {
            "$facet": {
                "counts": [{"$group": counts}],
                "examples": [{"$sort": {"_id": 1}}, {"$limit": max(examples, 1)}],
            }
        },
    ]


def _count_documents(
    collection: Collection[Document], reference: ForeignReference, stop: Stop
) -> int:
    """The number of documents, for references in arrays: a document with two dangling elements
    counts once."""
    lookup = {
        "from": reference.target,
        "localField": "v",
        "foreignField": query_path(reference.target_path),
        "as": "hits",
    }
    pipeline: list[Stage] = [
        *extraction([reference.path], beside={}, with_id=True),
        {"$lookup": lookup},
        {"$match": {"hits": []}},
        {"$group": {"_id": "$_id"}},
        {"$count": "documents"},
    ]
    rows = aggregate(collection, pipeline, stop=stop, **_options())
    return int(rows[0]["documents"]) if rows else 0


def _options() -> dict[str, Any]:
    return {"collation": _SIMPLE}
