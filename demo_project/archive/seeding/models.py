"""Fills the collections of the archive's models, in bounded batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from django.db import connections
from django.db.models import Model
from factory.random import randgen, reseed_random

from demo_project.archive.factories import (
    LoanFactory,
    MediumFactory,
    NoteFactory,
    PersonFactory,
    PlaceFactory,
    SearchFactory,
)
from demo_project.archive.models import Loan, Medium, Note, Person, Place, Search
from demo_project.archive.seeding.keys import all_of, key
from demo_project.archive.seeding.sizes import Size

BATCH = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    letters: str
    """The letters with which its keys begin."""
    model: type[Model]
    count: int
    build: Callable[[ObjectId, int], Model]
    """A function that builds a document from its key and number."""


def seed_models(size: Size, using: str = "default") -> dict[str, int]:
    """Replace the content of an earlier run, and return the number of documents by collection."""
    database = connections[using].database
    kinds = _kinds(size)
    for kind in kinds:
        # Bypasses the ORM on purpose: it would fetch every document to cascade, and everything that
        # refers to these documents is removed and created again in the same run.
        database[kind.model._meta.db_table].delete_many(all_of(kind.letters))
        for batch in _batches(kind):
            kind.model._default_manager.using(using).bulk_create(batch)
    return {kind.model._meta.db_table: kind.count for kind in kinds}


def _kinds(size: Size) -> list[Kind]:
    """The kinds of documents, in an order in which references point backwards."""

    def some(model: type[Model], letters: str, count: int) -> Any:
        return model(pk=key(letters, randgen.randrange(count)))

    def person(pk: ObjectId, number: int) -> Model:
        return PersonFactory.build(pk=pk, slug=f"person-{number}")

    def place(pk: ObjectId, number: int) -> Model:
        return PlaceFactory.build(pk=pk, number=number, slug=f"place-{number}")

    def note(pk: ObjectId, number: int) -> Model:
        at = some(Place, "PLAC", size.places) if randgen.random() < 0.9 else None
        author = some(Person, "PERS", size.people)
        return NoteFactory.build(pk=pk, number=number + 1, author=author, place=at)

    def medium(pk: ObjectId, number: int) -> Model:
        return MediumFactory.build(pk=pk, number=number, note=some(Note, "NOTE", size.notes))

    def loan(pk: ObjectId, number: int) -> Model:
        borrower = some(Person, "PERS", size.people)
        lent = some(Medium, "MEDI", size.media)
        return LoanFactory.build(pk=pk, code=f"L-{number:07}", medium=lent, borrower=borrower)

    # The server would remove old searches at once, so these follow the calendar.
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def search(pk: ObjectId, number: int) -> Model:
        ago = dt.timedelta(minutes=randgen.randrange(60 * 24 * 60))
        return SearchFactory.build(pk=pk, searched_at=today - ago)

    return [
        Kind(letters="PERS", model=Person, count=size.people, build=person),
        Kind(letters="PLAC", model=Place, count=size.places, build=place),
        Kind(letters="NOTE", model=Note, count=size.notes, build=note),
        Kind(letters="MEDI", model=Medium, count=size.media, build=medium),
        Kind(letters="LOAN", model=Loan, count=size.loans, build=loan),
        Kind(letters="SRCH", model=Search, count=size.searches, build=search),
    ]


def _batches(kind: Kind) -> Iterator[list[Model]]:
    for start in range(0, kind.count, BATCH):
        reseed_random(f"{kind.letters} {start}")
        numbers = range(start, min(start + BATCH, kind.count))
        yield [kind.build(key(kind.letters, number), number) for number in numbers]
