"""Fills the archive: the models' collections, oddities beside them, drift from them."""

from __future__ import annotations

from django.db import connections

from demo_project.archive.seeding.drift import seed_drift
from demo_project.archive.seeding.models import seed_models
from demo_project.archive.seeding.oddities import seed_oddities
from demo_project.archive.seeding.sizes import SIZES


def seed(size: str, using: str = "default") -> dict[str, int]:
    """Make the content named by ``size``; the number of documents by collection.

    A second run replaces what the first one made, and nothing else.
    """
    chosen = SIZES[size]
    database = connections[using].database
    made = seed_models(chosen, using) | seed_oddities(database, chosen)
    seed_drift(database)
    return made
