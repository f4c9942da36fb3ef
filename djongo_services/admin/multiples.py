"""Small multiples: the share of each type of each field over a series of profiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from djongo_services.admin.fields import type_family
from djongo_services.formatting import percent, printable
from djongo_services.introspection.path import Path, render_path
from djongo_services.introspection.report import Profile

MOST: Final = 24
"""The maximum number of charts on a page: those with the largest changes."""
WIDTH: Final = 100
HEIGHT: Final = 30
_STILL: Final = 0.005
"""Changes below half a point are not shown."""

Key = tuple[Path, str]
"""A path and a type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Multiple:
    path: str
    type: str
    family: str
    """The name of its colour."""
    points: str
    """The points of an SVG polyline, in a box of WIDTH by HEIGHT."""
    first: str
    last: str


def multiples(series: Sequence[tuple[datetime, Profile]]) -> tuple[list[Multiple], int]:
    """Charts of the shares that changed, oldest profile first; and the number of further
    changes."""
    if len(series) < 2:
        return [], 0
    shares: dict[Key, list[float]] = {}
    for number, (_, profile) in enumerate(series):
        for key, share in _shares(profile):
            shares.setdefault(key, [0.0] * len(series))[number] = share
    moved = {key: max(found) - min(found) for key, found in shares.items()}
    chosen = sorted(
        (key for key, move in moved.items() if move >= _STILL), key=lambda key: -moved[key]
    )
    places = _places([when for when, _ in series])
    return [_multiple(key, shares[key], places) for key in chosen[:MOST]], len(chosen[MOST:])


def _shares(profile: Profile) -> Iterator[tuple[Key, float]]:
    for field in profile.walk():
        for name, found in field.types.items():
            yield (field.path, name), found.probability


def _places(moments: Sequence[datetime]) -> list[float]:
    """Horizontal positions by time, from left to right."""
    whole = (moments[-1] - moments[0]).total_seconds()
    if whole <= 0:
        return [WIDTH * number / (len(moments) - 1) for number in range(len(moments))]
    return [WIDTH * (when - moments[0]).total_seconds() / whole for when in moments]


def _multiple(key: Key, shares: Sequence[float], places: Sequence[float]) -> Multiple:
    path, name = key
    return Multiple(
        path=printable(render_path(path)),
        type=printable(name),
        family=type_family(name),
        points=" ".join(
            f"{x:.1f},{HEIGHT - HEIGHT * share:.1f}"
            for x, share in zip(places, shares, strict=True)
        ),
        first=percent(shares[0]),
        last=percent(shares[-1]),
    )
