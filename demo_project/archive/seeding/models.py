"""Fills the collections of the archive's models, in bounded batches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
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
from demo_project.archive.models import Medium, Note, Person, Place
from demo_project.archive.seeding.keys import all_of, key
from demo_project.archive.seeding.sizes import Size

BATCH = 1_000
Build = Callable[[ObjectId, int], Model]


def seed_models(size: Size, using: str = "default") -> dict[str, int]:
    """Replace what an earlier run made; the number of documents by collection."""
    made: dict[str, int] = {}
    for kind, count, build in _kinds(size):
        _remove(kind, using)
        for batch in _batches(kind, count, build):
            model = type(batch[0])
            model._default_manager.using(using).bulk_create(batch)
            made[model._meta.db_table] = made.get(model._meta.db_table, 0) + len(batch)
    return made


def _kinds(size: Size) -> list[tuple[str, int, Build]]:
    """What there is to make, in an order in which references point backwards."""

    def some(model: type[Model], kind: str, count: int) -> Any:
        return model(pk=key(kind, randgen.randrange(count)))

    def note(pk: ObjectId, number: int) -> Note:
        place = some(Place, "PLAC", size.places) if randgen.random() < 0.9 else None
        author = some(Person, "PERS", size.people)
        return NoteFactory.build(pk=pk, number=number + 1, author=author, place=place)

    def medium(pk: ObjectId, number: int) -> Medium:
        return MediumFactory.build(pk=pk, number=number, note=some(Note, "NOTE", size.notes))

    def loan(pk: ObjectId, number: int) -> Model:
        borrower = some(Person, "PERS", size.people)
        lent = some(Medium, "MEDI", size.media)
        return LoanFactory.build(pk=pk, code=f"L-{number:07}", medium=lent, borrower=borrower)

    # The server would remove searches of long ago at once, so these follow the calendar.
    today = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    def search(pk: ObjectId, number: int) -> Model:
        ago = dt.timedelta(minutes=randgen.randrange(60 * 24 * 60))
        return SearchFactory.build(pk=pk, searched_at=today - ago)

    return [
        ("PERS", size.people, lambda pk, n: PersonFactory.build(pk=pk, slug=f"person-{n}")),
        ("PLAC", size.places, lambda pk, n: PlaceFactory.build(pk=pk, number=n)),
        ("NOTE", size.notes, note),
        ("MEDI", size.media, medium),
        ("LOAN", size.loans, loan),
        ("SRCH", size.searches, search),
    ]


def _batches(kind: str, count: int, build: Build) -> Iterator[list[Model]]:
    for start in range(0, count, BATCH):
        reseed_random(f"{kind} {start}")
        yield [build(key(kind, n), n) for n in range(start, min(start + BATCH, count))]


def _remove(kind: str, using: str) -> None:
    # Past the ORM on purpose: it would fetch every document to cascade, and all that refers to
    # these is removed and made again in the same run.
    table = {
        "PERS": "archive_person",
        "PLAC": "archive_place",
        "NOTE": "archive_note",
        "MEDI": "archive_medium",
        "LOAN": "archive_loan",
        "SRCH": "archive_search",
    }[kind]
    connections[using].database[table].delete_many(all_of(kind))
