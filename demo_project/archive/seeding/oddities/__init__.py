"""Deliberate, listed oddities such as a database collects over the years, which no model
declares."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from demo_project.archive.seeding.oddities import (
    cards,
    foreign_indexes,
    labels,
    other_kinds,
    specimens,
)
from demo_project.archive.seeding.oddities.oddity import Oddity
from demo_project.archive.seeding.sizes import Size

__all__ = ["ODDITIES", "Oddity", "seed_oddities"]

_ROOMS = (cards, specimens, labels, other_kinds, foreign_indexes)

ODDITIES: tuple[Oddity, ...] = tuple(oddity for room in _ROOMS for oddity in room.ODDITIES)


def seed_oddities(database: Database[Any], size: Size) -> dict[str, int]:
    """Create the oddities again, and return the number of documents by collection."""
    made: dict[str, int] = {}
    for room in _ROOMS:
        made |= room.seed(database, size)
    return made
