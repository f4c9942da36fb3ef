"""A comparison as one HTML page that needs nothing besides itself, with both sides.

Made like the page of a report (:mod:`djongo_services.introspection.rendering.html`), with its style
and script and the same Content-Security-Policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.template import Context
from django.utils.safestring import SafeString, mark_safe

from djongo_services.drift.comparison import CollectionDrift, Comparison, Difference, Side
from djongo_services.drift.words import (
    basis_words,
    models_words,
    severity_word,
    side_facts,
    summary,
    what,
)
from djongo_services.formatting import printable
from djongo_services.introspection.rendering.html import (
    asset,
    content_hash,
    found_text,
    language,
    page_engine,
)
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSide:
    text: str | None
    bar: str | None
    """The share, in hundredths of the bar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DifferenceRow:
    sign: str
    name: str
    """``came``, ``changed`` or ``went``."""
    says: str
    """The same, for those who do not see the sign."""
    what: str
    path: str
    before: ShownSide
    after: ShownSide
    models: str | None
    severity: str
    tag: str
    accepted: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DriftSection:
    anchor: str
    name: str
    models: str
    before: str | None
    after: str | None
    number: int
    """Differences that count."""
    number_text: str
    """Their word, without the number."""
    differences_of: str
    """Names the table, for those who do not see it."""
    rows: list[DifferenceRow]
    notes: list[str]


_NAMES = {"+": "came", "~": "changed", "-": "went"}
"""For the style."""


def render_html(comparison: Comparison) -> str:
    style = _style()
    script = asset("report.js")
    context = {
        "title": _title(comparison),
        "language": language(),
        "found": found_text(),
        "sides": [_side(_("Before"), comparison.before), _side(_("After"), comparison.after)],
        "before": printable(comparison.before.label),
        "after": printable(comparison.after.label),
        "summary": summary(comparison),
        "basis": basis_words(comparison),
        "notes": [printable(note) for note in comparison.notes],
        "sections": list(_sections(comparison)),
        "style": style,
        "script": script,
        "style_hash": content_hash(style),
        "script_hash": content_hash(script),
    }
    # Every figure is text already; the project's locale must not format it again.
    page = Context(context, use_l10n=False, use_tz=False)
    return page_engine().get_template("comparison.html").render(page)


def _style() -> SafeString:
    return mark_safe(asset("report.css") + asset("comparison.css"))  # noqa: S308 (our own files)


def _title(comparison: Comparison) -> str:
    names = (comparison.after.database, comparison.before.database)
    return printable(next((name for name in names if name), ""))


def _side(name: str, side: Side) -> dict[str, object]:
    return {"name": name, "label": printable(side.label), "facts": side_facts(side)}


def _sections(comparison: Comparison) -> Iterator[DriftSection]:
    for place, collection in enumerate(comparison.collections, 1):
        name = printable(collection.name)
        number = sum(one.counts for one in collection.differences)
        yield DriftSection(
            anchor=f"collection-{place}",
            name=name,
            models=printable(", ".join(collection.models)),
            before=_covered(_("Before: %(coverage)s"), collection.before),
            after=_covered(_("After: %(coverage)s"), collection.after),
            number=number,
            number_text=ngettext("difference", "differences", number),
            differences_of=_("Differences of %(name)s") % {"name": name},
            rows=list(_rows(collection)),
            notes=[printable(note) for note in collection.notes],
        )


def _covered(text: str, coverage: str | None) -> str | None:
    return text % {"coverage": coverage} if coverage else None


def _says(sign: str) -> str:
    return {"+": _("came:"), "~": _("changed:"), "-": _("went:")}[sign]


def _rows(collection: CollectionDrift) -> Iterator[DifferenceRow]:
    for found in collection.differences:
        yield DifferenceRow(
            sign=found.sign,
            name=_NAMES[found.sign],
            says=_says(found.sign),
            what=what(found),
            path=printable(f"{found.subject} {found.detail}".strip()),
            before=_shown(found.before, found.before_share),
            after=_shown(found.after, found.after_share),
            models=models_words(found),
            severity=_class(found),
            tag=severity_word(found),
            accepted=printable(found.accepted) if found.accepted else None,
        )


def _class(found: Difference) -> str:
    return found.severity if found.counts else "quiet"


def _shown(text: str | None, share: float | None) -> ShownSide:
    bar = None if share is None else f"{min(max(share * 100, 1 if share else 0), 100):.1f}"
    return ShownSide(text=text, bar=bar)
