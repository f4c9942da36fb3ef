"""Fills the archive: the models' collections and files, oddities, garbage, and drift."""

from __future__ import annotations

from django.db import connections

from demo_project.archive.seeding.drift import seed_drift
from demo_project.archive.seeding.garbage import seed_garbage
from demo_project.archive.seeding.models import seed_models
from demo_project.archive.seeding.oddities import seed_oddities
from demo_project.archive.seeding.plates import seed_plates
from demo_project.archive.seeding.sizes import SIZES


def seed(size: str, using: str = "default") -> dict[str, int]:
    """Create the content named by ``size``, and return the number of documents by collection.

    A second run replaces the content of the first one, and nothing else.
    """
    chosen = SIZES[size]
    database = connections[using].database
    made = seed_models(chosen, using) | seed_oddities(database, chosen)
    made["media.files"] = seed_plates(database)
    seed_garbage()
    seed_drift(database)
    return made
