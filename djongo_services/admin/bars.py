"""A figure with a bar: how much it is of the largest beside it."""

from __future__ import annotations

from dataclasses import dataclass

from djongo_services.formatting import percent


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    text: str
    width: str
    """A part of 100, for the SVG."""
    share: str
    """In words: ``42 %``."""


def bar(text: str, part: float, whole: float) -> Bar:
    """Non-zero values get a minimum width; zero has no bar."""
    share = min(part / whole, 1.0) if whole > 0 else 0.0
    width = max(share * 100, 1.0) if share > 0 else 0.0
    return Bar(text=text, width=f"{width:.1f}", share=percent(share))
