"""The words of fields and references, in the reader's language; printable and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from bson import ObjectId

from djongo_services.formatting import count, decimal, percent, printable, value_text
from djongo_services.introspection.path import Step, render_path
from djongo_services.introspection.report import (
    ArrayLengths,
    Field,
    MapKeys,
    Reference,
    ValueSummary,
)
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext

ENUM_SHOWN = 6
"""Values of an enumeration that are listed; the rest is a number."""


def rows(fields: tuple[Field, ...], depth: int = 0) -> Iterator[tuple[int, str, Field]]:
    """Fields as an indented tree: depth, the label of the last step, the field."""
    for field in fields:
        last = field.path[-1]
        label = last.value if isinstance(last, Step) else printable(render_path((last,)))
        # Spaces at the edge of a name would not be seen.
        yield depth, label if label == label.strip() else f'"{label}"', field
        yield from rows(field.children, depth + 1)


def notes(field: Field, references: tuple[Reference, ...]) -> list[str]:
    """What is known of a field besides its types, a phrase each."""
    found = [reference_text(reference) for reference in references if reference.path == field.path]
    if field.map:
        found.append(_map_text(field.map))
    if field.lengths:
        found.append(lengths_text(field.lengths))
    if field.values:
        found.extend(_value_notes(field.values, next(iter(field.types), "")))
    return found


def lengths_text(lengths: ArrayLengths) -> str:
    """``2 elements``, ``0 to 8 elements, 3.1 on average``."""
    if lengths.minimum == lengths.maximum:
        text = ngettext("%(count)s element", "%(count)s elements", lengths.maximum)
        return text % {"count": count(lengths.maximum)}
    return _("%(least)s to %(most)s elements, %(mean)s on average") % {
        "least": count(lengths.minimum),
        "most": count(lengths.maximum),
        "mean": decimal(lengths.mean),
    }


def reference_text(reference: Reference) -> str:
    """``→ people._id``, with the share found where that is not everything."""
    target = f"{printable(reference.target)}.{printable(reference.target_path)}"
    text = f"→ {target}" if reference.target_path != "_id" else f"→ {printable(reference.target)}"
    if reference.kind == "text":
        text = _("%(target)s, kept as text") % {"target": text}
    if reference.kind == "pointer":
        text = _("%(target)s, Parse pointer") % {"target": text}
    if reference.confidence < 1:
        words = {"share": percent(reference.confidence), "count": count(reference.checked)}
        return _("%(target)s (%(share)s of %(count)s found)") % {"target": text, **words}
    return text


def from_reference_text(reference: Reference) -> str:
    """``author_id → people``: with the field that refers."""
    text = f"{printable(render_path(reference.path))} {reference_text(reference)}"
    return _("%(reference)s (many)") % {"reference": text} if reference.many else text


def _map_text(keys: MapKeys) -> str:
    format = _("mixed") if keys.format == "mixed" else printable(keys.format)
    words = {"count": count(keys.distinct), "format": format}
    if keys.distinct_is_bound:
        text = ngettext(
            "map: at least %(count)s %(format)s key",
            "map: at least %(count)s %(format)s keys",
            keys.distinct,
        )
    else:
        text = ngettext(
            "map: %(count)s %(format)s key", "map: %(count)s %(format)s keys", keys.distinct
        )
    return text % words


def _value_notes(values: ValueSummary, type_name: str) -> list[str]:
    """``type_name``: the most frequent type at the path."""
    if values.constant and not values.masked:
        only = values.enum[0][0] if values.enum else values.minimum
        return [_("always %(value)s") % {"value": value_text(only)}]
    found = [f"{printable(name)} {percent(share)}" for name, share in values.formats.items()]
    # The values of ObjectIds mean nothing to a reader, so only their number is shown.
    is_listed = bool(values.enum) and not _are_object_ids(values)
    if values.masked:
        found.append(_("values hidden"))
    elif is_listed:
        found.append(_enum_text(values))
    elif values.minimum is not None and not _are_object_ids(values):
        words = {"least": value_text(values.minimum), "most": value_text(values.maximum)}
        found.append(_("%(least)s to %(most)s") % words)
    if values.longest is not None:
        found.append(
            _length_text(
                values.shortest or 0, values.longest, bytes=type_name.startswith("binData")
            )
        )
    if values.distinct is not None and not is_listed:
        found.append(_distinct_text(values.distinct, is_bound=values.distinct_is_bound))
    if values.boolean_like:
        found.append(_("reads as yes or no"))
    return found


def _length_text(shortest: int, longest: int, *, bytes: bool) -> str:
    """``3 characters``, ``1 to 40 bytes``."""
    if shortest == longest and bytes:
        text = ngettext("%(count)s byte", "%(count)s bytes", longest)
    elif shortest == longest:
        text = ngettext("%(count)s character", "%(count)s characters", longest)
    elif bytes:
        text = ngettext("%(least)s to %(count)s byte", "%(least)s to %(count)s bytes", longest)
    else:
        text = ngettext(
            "%(least)s to %(count)s character", "%(least)s to %(count)s characters", longest
        )
    return text % {"least": count(shortest), "count": count(longest)}


def _distinct_text(number: int, *, is_bound: bool) -> str:
    if is_bound:
        text = ngettext("at least %(count)s distinct", "at least %(count)s distinct", number)
    else:
        text = ngettext("%(count)s distinct", "%(count)s distinct", number)
    return text % {"count": count(number)}


def _are_object_ids(values: ValueSummary) -> bool:
    if values.enum:
        return all(isinstance(value, ObjectId) for value, _ in values.enum if value is not None)
    return isinstance(values.minimum, ObjectId)


def _enum_text(values: ValueSummary) -> str:
    total = sum(number for _, number in values.enum)
    shown = [
        f"{value_text(value, 24)} {percent(number / total)}"
        for value, number in values.enum[:ENUM_SHOWN]
    ]
    if (rest := len(values.enum) - ENUM_SHOWN) > 0:
        shown.append(ngettext("%(count)s more", "%(count)s more", rest) % {"count": count(rest)})
    return _("one of %(values)s") % {"values": ", ".join(shown)}
