"""A figure with a bar that shows its size relative to the largest one beside it."""

from __future__ import annotations

from dataclasses import dataclass

from djongo_services.formatting import percent


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    text: str
    width: str
    """The width for the SVG, out of 100."""
    share: str
    """The share as text: ``42 %``."""


def bar(text: str, part: float, whole: float) -> Bar:
    """Non-zero values get a minimum width; zero has no bar."""
    share = min(part / whole, 1.0) if whole > 0 else 0.0
    width = max(share * 100, 1.0) if share > 0 else 0.0
    return Bar(text=text, width=f"{width:.1f}", share=percent(share))
