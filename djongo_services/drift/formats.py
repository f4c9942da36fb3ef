"""The formats of a comparison; add a new one here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from djongo_services.drift.comparison import Comparison
from djongo_services.introspection.formats import RenderOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonFormat:
    render: Callable[[Comparison, RenderOptions], str]


def _text(comparison: Comparison, options: RenderOptions) -> str:
    from djongo_services.drift.rendering.text import render_text

    return render_text(comparison, color=options.color)


def _json(comparison: Comparison, options: RenderOptions) -> str:
    from djongo_services.drift.rendering.json import render_json

    return render_json(comparison)


def _html(comparison: Comparison, options: RenderOptions) -> str:
    from djongo_services.drift.rendering.html import render_html

    return render_html(comparison)


def _accepted(comparison: Comparison, options: RenderOptions) -> str:
    from djongo_services.drift.accepted import render_accepted

    return render_accepted(comparison)


COMPARISON_FORMATS: Mapping[str, ComparisonFormat] = {
    "report": ComparisonFormat(render=_text),
    "json": ComparisonFormat(render=_json),
    "html": ComparisonFormat(render=_html),
    "accepted": ComparisonFormat(render=_accepted),
}
"""Formats by their name for ``--format``; the first one is the default."""
