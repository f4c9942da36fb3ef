"""The words of a comparison, which its renderers share.

The text about how the two sides differ (:func:`change`, and its parts) is data, which is written
as JSON and into files of accepted differences, and is always English; the text around it is in the
reader's language.

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
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext

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
        case "collection":
            return _("collection")
        case "documents":
            return _("documents")
        case "validator":
            return _("validator")
        case "field" | "presence" | "share" | "length":
            return subject
        case "type":
            return _("%(field)s: type %(type)s") % {"field": subject, "type": detail}
        case "map":
            return _("%(field)s: keys") % {"field": subject}
        case "enum":
            return _("%(field)s: value") % {"field": subject}
        case "reference":
            return _("%(field)s: reference to %(target)s") % {"field": subject, "target": detail}
        case "index":
            text = _("index %(name)s")
        case "option":
            text = _("option %(name)s")
        case "rule":
            text = _("rule %(name)s")
    return (text % {"name": f"{subject} {detail}".strip()}).strip()


def change(difference: Difference) -> str:
    """``int → string``, ``was int``, ``string``; with what the models say."""
    before, after = difference.before, difference.after
    if before is not None and after is not None:
        text = f"{before} → {after}"
    else:
        text = after if after is not None else f"was {before}"
    return f"{text}; the models {difference.models}" if difference.models else text


def models_words(difference: Difference) -> str | None:
    """``The models accept int or long.``, in English; None where they say nothing."""
    return f"The models {difference.models}." if difference.models else None


def line(difference: Difference) -> str:
    """``~ price: int 88 %, double 12 % → int 40 %, double 60 %  (moved)``."""
    tags = {"breaks": _("(breaks the models)"), "moved": _("(moved)")}
    text = f"{difference.sign} {what(difference)}: {change(difference)}"
    return "  ".join(filter(None, [text, tags.get(difference.severity)]))


def doubtful_words(differences: Sequence[Difference]) -> str | None:
    """One sentence for the differences that may be chance."""
    doubtful = [one for one in differences if not one.certain and one.accepted is None]
    if not doubtful:
        return None
    named = ", ".join(f"{one.sign} {what(one)}" for one in doubtful[:_NAMED])
    if (rest := len(doubtful) - _NAMED) > 0:
        text = ngettext("%(names)s and %(count)s more", "%(names)s and %(count)s more", rest)
        named = text % {"names": named, "count": count(rest)}
    text = _(
        "on one side only, which may be chance: %(names)s; --depth complete on both sides tells"
    )
    return text % {"names": named}


def summary(comparison: Comparison) -> str:
    """``2 differences break the models, 5 are new, 3 moved; 1 accepted.``"""
    counts = {
        severity: sum(one.counts and one.severity == severity for one in comparison.differences())
        for severity in SEVERITIES
    }
    accepted = sum(one.accepted is not None for one in comparison.differences())
    found = {severity: number for severity, number in counts.items() if number}
    text = _found_text(found) if found else _nothing_text(comparison)
    if not accepted:
        return f"{text}."
    known = ngettext("%(count)s accepted", "%(count)s accepted", accepted)
    return f"{text}; {known % {'count': count(accepted)}}."


def _found_text(numbers: Mapping[Severity, int]) -> str:
    """``2 differences break the models, 5 are new, 3 moved``."""
    (severity, number), *others = numbers.items()
    first = {
        "breaks": ngettext(
            "%(count)s difference breaks the models",
            "%(count)s differences break the models",
            number,
        ),
        "new": ngettext("%(count)s difference is new", "%(count)s differences are new", number),
        "moved": ngettext("%(count)s difference moved", "%(count)s differences moved", number),
    }
    phrases = [first[severity] % {"count": count(number)}]
    for severity, number in others:
        other = {
            "breaks": ngettext("%(count)s breaks the models", "%(count)s break the models", number),
            "new": ngettext("%(count)s is new", "%(count)s are new", number),
            "moved": ngettext("%(count)s moved", "%(count)s moved", number),
        }
        phrases.append(other[severity] % {"count": count(number)})
    return ", ".join(phrases)


def _nothing_text(comparison: Comparison) -> str:
    # An interrupted inspection has not seen everything.
    if comparison.before.stopped or comparison.after.stopped:
        text = ngettext(
            "No differences so far in %(count)s collection",
            "No differences so far in %(count)s collections",
            comparison.compared,
        )
    else:
        text = ngettext(
            "No differences in %(count)s collection",
            "No differences in %(count)s collections",
            comparison.compared,
        )
    return text % {"count": count(comparison.compared)}


def severity_word(difference: Difference) -> str:
    """``breaks the models``, ``new``, ``moved``, ``accepted``, or ``perhaps chance``."""
    if difference.accepted is not None:
        return _("accepted")
    if not difference.certain:
        return _("perhaps chance")
    words = {"breaks": _("breaks the models"), "new": _("new"), "moved": _("moved")}
    return words[difference.severity]


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
        parts.append(_("partial: %(reason)s") % {"reason": printable(side.stopped)})
    return parts


def basis_words(comparison: Comparison) -> str | None:
    """How moves were judged; None where every document was counted."""
    tolerance = decimal(comparison.tolerance * 100)
    plural = 1 if tolerance == "1" else 2
    words = {"points": tolerance, "level": f"{decimal(LEVEL * 100)} %"}
    if not comparison.tests:
        text = ngettext(
            "Moves below %(points)s point are not listed.",
            "Moves below %(points)s points are not listed.",
            plural,
        )
        return text % words if comparison.tolerance else None
    below = ngettext("%(points)s point", "%(points)s points", plural) % words
    text = ngettext(
        "Moves below %(below)s are not listed, nor what two samples allow at a level of %(level)s "
        "for all %(count)s test together.",
        "Moves below %(below)s are not listed, nor what two samples allow at a level of %(level)s "
        "for all %(count)s tests together.",
        comparison.tests,
    )
    return text % {**words, "below": below, "count": count(comparison.tests)}


def coverages(collection: CollectionDrift) -> str | None:
    """What the figures of the two sides are based on; None if neither side says so."""
    sides = [side for side in (collection.before, collection.after) if side is not None]
    return " → ".join(dict.fromkeys(sides)) if sides else None
