"""Fills the archive: the models' collections, then what no model knows of."""

from __future__ import annotations

from django.db import connections

from demo_project.archive.seeding.models import seed_models
from demo_project.archive.seeding.oddities import seed_oddities
from demo_project.archive.seeding.sizes import SIZES


def seed(size: str, using: str = "default") -> dict[str, int]:
    """Make the content named by ``size``; the number of documents by collection.

    A second run replaces what the first one made, and nothing else.
    """
    chosen = SIZES[size]
    return seed_models(chosen, using) | seed_oddities(connections[using].database, chosen)
