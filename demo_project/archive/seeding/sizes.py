"""The amount of content that ``seed_demo`` creates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The number of documents by kind."""

    people: int
    places: int
    notes: int
    media: int
    loans: int
    searches: int
    cards: int
    """Documents of the old card index, which has most of the oddities."""
    readings: int
    """Measurements in the time series."""


SIZES = {
    "small": Size(
        people=24, places=20, notes=160, media=90, loans=30, searches=40, cards=80, readings=48
    ),
    "medium": Size(
        people=400,
        places=120,
        notes=8_000,
        media=5_000,
        loans=1_500,
        searches=1_500,
        cards=2_000,
        readings=1_500,
    ),
    "large": Size(
        people=4_000,
        places=1_000,
        notes=200_000,
        media=150_000,
        loans=40_000,
        searches=35_000,
        cards=40_000,
        readings=30_000,
    ),
}
