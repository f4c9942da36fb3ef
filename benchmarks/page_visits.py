"""Visits to pages: what a visit is, and how long a first one and the later ones take."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

Visit = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    first: float
    """The time of the process's first visit, which reads templates and imports what it needs."""
    median: float
    """The median of the visits after that."""


def visit(client: Client, url: str) -> Visit:
    """A visit that fails unless the whole page is returned."""

    def get() -> None:
        response = client.get(url)
        assert response.status_code == 200, (url, response)
        text = b"" if response.streaming else response.content
        trouble = re.search(rb"mongo-trouble.*?</p>", text)
        assert trouble is None, (url, trouble and trouble[0])

    return get


def interleaved(contestants: Mapping[str, Visit], repeats: int) -> dict[str, Seconds]:
    """Visit every page once, and then again, ``repeats`` times."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats + 1):
        for name, contestant in contestants.items():
            started = time.perf_counter()
            contestant()
            taken[name].append(time.perf_counter() - started)
    return {
        name: Seconds(first=first, median=statistics.median(later))
        for name, (first, *later) in taken.items()
    }
