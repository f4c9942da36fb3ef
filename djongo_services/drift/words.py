"""The words of a comparison, which its renderers share.

Names and values from a database are data: every returned text is printable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from djongo_services.drift.comparison import (
    LEVEL,
    SEVERITIES,
    CollectionDrift,
    Comparison,
    Difference,
    Severity,
    Side,
)
from djongo_services.formatting import count, counted, decimal, percent, printable
from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.report import Field

_NAMED = 3
"""The maximum number of differences within sampling error that a line lists; the rest is
counted."""


def parents_noun(path: Path) -> str:
    """The noun for what the share of a field refers to."""
    if path[-1] is ELEMENT:
        return "elements"
    if path[-1] is KEY:
        return "keys"
    return "documents" if len(path) == 1 else "objects"


def presence(field: Field) -> str:
    """``in all documents``, ``in 41 % of documents``, ``in 3 % of objects``."""
    noun = parents_noun(field.path)
    if not field.missing:
        return f"in all {noun}"
    return f"in {percent(field.probability)} of {noun}"


def types(field: Field) -> str:
    """``string``, or ``int 88 %, double 12 %``."""
    return shares({name: found.count for name, found in field.types.items()})


def shares(counts: Mapping[str, int]) -> str:
    """The shares of several types, most frequent first; a single type without its share."""
    total = sum(counts.values())
    if len(counts) == 1:
        return printable(next(iter(counts)))
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{printable(name)} {percent(number / total)}" for name, number in ordered)


def field_words(field: Field) -> str:
    """``string, in 41 % of documents``; with the number of the fields inside of it."""
    inside = sum(1 for _ in field.walk()) - 1
    within = f" with {counted(inside, 'field')} inside" if inside else ""
    if field.path[-1] in (ELEMENT, KEY):
        return f"{types(field)}{within}"
    return f"{types(field)}{within}, {presence(field)}"


def any_of(names: Iterable[str]) -> str:
    """``double, int or long``."""
    *most, last = (printable(name) for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def what(difference: Difference) -> str:
    """What differs: ``price: type string``, ``index email_1``, ``validator``."""
    subject, detail = printable(difference.subject), printable(difference.detail)
    match difference.kind:
        case "collection" | "documents" | "validator":
            return difference.kind
        case "field" | "presence" | "share" | "length":
            return subject
        case "type":
            return f"{subject}: type {detail}"
        case "map":
            return f"{subject}: keys"
        case "enum":
            return f"{subject}: value"
        case "reference":
            return f"{subject}: reference to {detail}"
        case kind:  # An index, an option or a rule.
            return " ".join(filter(None, [kind, subject, detail]))


def change(difference: Difference) -> str:
    """``int → string``, ``was int``, ``string``; with what the models say."""
    before, after = difference.before, difference.after
    if before is not None and after is not None:
        text = f"{before} → {after}"
    else:
        text = after if after is not None else f"was {before}"
    return f"{text}; the models {difference.models}" if difference.models else text


def models_words(difference: Difference) -> str | None:
    """``The models accept int or long.``; None where they say nothing."""
    return f"The models {difference.models}." if difference.models else None


def line(difference: Difference) -> str:
    """``~ price: int 88 %, double 12 % → int 40 %, double 60 %  (moved)``."""
    tag = {"breaks": "  (breaks the models)", "moved": "  (moved)"}.get(difference.severity, "")
    return f"{difference.sign} {what(difference)}: {change(difference)}{tag}"


def doubtful_words(differences: Sequence[Difference]) -> str | None:
    """One sentence for the differences that may be chance."""
    doubtful = [one for one in differences if not one.certain and one.accepted is None]
    if not doubtful:
        return None
    named = ", ".join(f"{one.sign} {what(one)}" for one in doubtful[:_NAMED])
    rest = len(doubtful) - _NAMED
    more = f" and {count(rest)} more" if rest > 0 else ""
    seen = f"on one side only, which may be chance: {named}{more}"
    return f"{seen}; --depth complete on both sides tells"


SEVERITY_WORDS: Mapping[Severity, tuple[str, str]] = {
    "breaks": ("breaks the models", "break the models"),
    "new": ("is new", "are new"),
    "moved": ("moved", "moved"),
}
"""The words for one difference, and for several."""


def summary(comparison: Comparison) -> str:
    """``2 differences break the models, 5 are new, 3 moved; 1 accepted.``"""
    counts = {
        severity: sum(one.counts and one.severity == severity for one in comparison.differences())
        for severity in SEVERITIES
    }
    accepted = sum(one.accepted is not None for one in comparison.differences())
    phrases: list[str] = []
    for severity, number in counts.items():
        if number:
            noun = "" if phrases else f" {'difference' if number == 1 else 'differences'}"
            phrases.append(f"{count(number)}{noun} {SEVERITY_WORDS[severity][number > 1]}")
    known = f"; {count(accepted)} accepted" if accepted else ""
    if phrases:
        return f"{', '.join(phrases)}{known}."
    compared = counted(comparison.compared, "collection")
    # An interrupted inspection has not seen everything.
    is_partial = comparison.before.stopped or comparison.after.stopped
    return f"No differences{' so far' if is_partial else ''} in {compared}{known}."


def severity_word(difference: Difference) -> str:
    """``breaks the models``, ``new``, ``moved``, ``accepted``, or ``perhaps chance``."""
    if difference.accepted is not None:
        return "accepted"
    if not difference.certain:
        return "perhaps chance"
    return "breaks the models" if difference.severity == "breaks" else difference.severity


def side_words(side: Side) -> str:
    """``baseline.json: shop, 2026-11-29 02:00 UTC, MongoDB 6.0.27``."""
    facts = side_facts(side)
    return f"{printable(side.label)}: {', '.join(facts)}" if facts else printable(side.label)


def side_facts(side: Side) -> list[str]:
    """Database, time, server, and why it is partial."""
    parts = []
    if side.database is not None:
        parts.append(printable(side.database))
    if side.inspected_at is not None:
        parts.append(f"{side.inspected_at:%Y-%m-%d %H:%M %Z}")
    if side.server is not None:
        parts.append(f"MongoDB {printable(side.server)}")
    if side.stopped is not None:
        parts.append(f"partial: {printable(side.stopped)}")
    return parts


def basis_words(comparison: Comparison) -> str | None:
    """How moves were judged; None where every document was counted."""
    tolerance = decimal(comparison.tolerance * 100)
    noun = "point" if tolerance == "1" else "points"
    points = f"Moves below {tolerance} {noun} are not listed"
    if not comparison.tests:
        return f"{points}." if comparison.tolerance else None
    level = f"{decimal(LEVEL * 100)} % for all {counted(comparison.tests, 'test')} together"
    return f"{points}, nor what two samples allow at a level of {level}."


def coverages(collection: CollectionDrift) -> str | None:
    """What the figures of the two sides are based on; None if neither side says so."""
    sides = [side for side in (collection.before, collection.after) if side is not None]
    return " → ".join(dict.fromkeys(sides)) if sides else None
