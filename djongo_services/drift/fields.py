"""Differences between the fields of two profiles of one collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from djongo_services.drift import words
from djongo_services.drift.breaking import (
    accepted_words,
    breaking_below,
    missing,
    missing_field,
    refused_values,
    too_long,
)
from djongo_services.drift.comparison import Difference, Kind, Severity, Sign
from djongo_services.drift.findings import Findings
from djongo_services.drift.model_shapes import ModelShape
from djongo_services.drift.proportions import Proportion, gap_p_value, largest_gap, p_value
from djongo_services.drift.samples import Sample
from djongo_services.drift.values import compare_values
from djongo_services.formatting import printable
from djongo_services.introspection.path import ELEMENT, KEY
from djongo_services.introspection.rendering.field_wording import lengths_text
from djongo_services.introspection.report import Field, MapKeys, Profile


@dataclass(frozen=True, slots=True)
class _Inside:
    """One side of what is inside documents, or inside the values at a path."""

    fields: Mapping[Any, Field]
    """Fields by the last step of their path."""
    objects: int
    arrays: int
    sample: Sample

    @classmethod
    def documents(cls, profile: Profile) -> _Inside:
        fields = {field.path[-1]: field for field in profile.fields}
        number = profile.fields[0].parents if profile.fields else profile.coverage.documents
        return cls(fields, number, 0, Sample.of(profile))

    @classmethod
    def values(cls, field: Field, sample: Sample) -> _Inside:
        counts = {name: found.count for name, found in field.types.items()}
        fields = {child.path[-1]: child for child in field.children}
        return cls(fields, counts.get("object", 0), counts.get("array", 0), sample)

    def holders(self, step: Any) -> int:
        """The number of parents that could have a field, an element or a key."""
        return self.arrays if step is ELEMENT else self.objects

    def sample_of(self, step: Any) -> Sample:
        if step is ELEMENT or step is KEY:
            return self.sample.inside(self.holders(step))
        return self.sample

    def absent(self, step: Any) -> Proportion:
        """The proportion of parents with it, if there are none."""
        return self.sample_of(step).proportion(0, self.holders(step))

    def present(self, step: Any) -> Proportion:
        """The proportion of parents with it; one element or key is enough."""
        found = self.fields[step]
        return self.sample_of(step).proportion(
            min(found.present, self.holders(step)), self.holders(step)
        )


def compare_fields(before: Profile, after: Profile, shape: ModelShape, found: Findings) -> None:
    """Add the differences to ``found``."""
    work = _Comparison(before.collection, found)
    # With a stack of its own, because documents nest deeper than Python's recursion limit.
    pending = [work.inside(_Inside.documents(before), _Inside.documents(after), shape)]
    while pending:
        pair = next(pending[-1], None)
        if pair is None:
            pending.pop()
        else:
            pending.append(work.values(*pair))


_Pair = tuple[tuple[Field, Sample], tuple[Field, Sample], ModelShape]


class _Comparison:
    def __init__(self, collection: str, found: Findings) -> None:
        self.collection = collection
        self.found = found

    def inside(self, before: _Inside, after: _Inside, shape: ModelShape) -> Iterator[_Pair]:
        """Report what was added and removed, and yield the pairs that exist on both sides."""
        keyed = (KEY in before.fields, KEY in after.fields)
        is_folded = keyed[0] != keyed[1] and before.objects > 0 and after.objects > 0
        if is_folded and before.fields and after.fields:
            self._folded(before, after)
        for step in dict.fromkeys([*after.fields, *before.fields]):
            one, other = before.fields.get(step), after.fields.get(step)
            below = shape.below(step)
            if one is not None and other is not None:
                self._presence(step, before, after, shape)
                yield (one, before.sample_of(step)), (other, after.sample_of(step)), below
                continue
            if other is not None:
                self._breaks(other, below)
            if is_folded and before.fields and after.fields:
                continue
            if other is not None and before.holders(step):
                self._came(step, before, after)
            elif one is not None and after.holders(step):
                self._went(step, before, after, shape)

    def values(
        self, before: tuple[Field, Sample], after: tuple[Field, Sample], shape: ModelShape
    ) -> Iterator[_Pair]:
        (one, old), (other, new) = before, after
        self._types(one, old, other, new, shape)
        self._lengths(one, old, other, new)
        self._longer(one, other, shape)
        compare_values(self.collection, one, other, old, new, self.found)
        if one.map and other.map and one.map.format != other.map.format:
            self._add(
                "map",
                "~",
                "new",
                other,
                before=_keys(one.map),
                after=_keys(other.map),
                certain=old.proven and new.proven,
            )
        if "object" in other.types.keys() - one.types.keys() and not other.map:
            for lacking in missing(self.collection, other.path, other.children, shape):
                self.found.add(lacking)
        if one.children or other.children:
            yield from self.inside(_Inside.values(one, old), _Inside.values(other, new), shape)

    def _breaks(self, field: Field, shape: ModelShape) -> None:
        for difference in breaking_below(self.collection, field, shape):
            self.found.add(difference)

    def _came(self, step: Any, before: _Inside, after: _Inside) -> None:
        field = after.fields[step]
        proven = before.sample.proven
        p = None if proven else p_value(before.absent(step), after.present(step))
        shown = words.field_words(field)
        share = field.probability
        self._add("field", "+", "new", field, after=shown, after_share=share, p=p)

    def _went(self, step: Any, before: _Inside, after: _Inside, shape: ModelShape) -> None:
        field = before.fields[step]
        if shape.requires(step):
            before_words = words.presence(field)
            self.found.add(missing_field(self.collection, field.path, None, before=before_words))
            return
        proven = after.sample.proven
        p = None if proven else p_value(before.present(step), after.absent(step))
        shown = words.field_words(field)
        share = field.probability
        self._add("field", "-", "new", field, before=shown, before_share=share, p=p)

    def _folded(self, before: _Inside, after: _Inside) -> None:
        """Keys are data on one side, and names of fields on the other."""
        field = after.fields.get(KEY) or before.fields[KEY]
        is_map = KEY in after.fields
        named = before.fields if is_map else after.fields
        keys = f"names of {len(named):,} {'field' if len(named) == 1 else 'fields'}"
        self._add(
            "map",
            "+" if is_map else "-",
            "new",
            field,
            before=keys if is_map else "data",
            after="data" if is_map else keys,
            # Whether it is a map depends on how many keys a sample contained.
            certain=before.sample.proven and after.sample.proven,
        )

    def _presence(self, step: Any, before: _Inside, after: _Inside, shape: ModelShape) -> None:
        if step is ELEMENT or step is KEY:
            return
        one, other = before.fields[step], after.fields[step]
        lacked, lacks = one.missing, other.missing
        if not lacked and not lacks:
            return
        if not lacked and shape.requires(step):
            was = words.presence(one)
            self.found.add(missing_field(self.collection, other.path, other, before=was))
            return
        share = one.probability, other.probability
        p = p_value(
            before.sample.proportion(one.parents - lacked, one.parents),
            after.sample.proportion(other.parents - lacks, other.parents),
        )
        severity: Severity = "moved"
        if bool(lacked) != bool(lacks):
            severity = "new" if lacks else "moved"
            always = after if lacked else before
            if always.sample.proven:  # Then it is a fact that all have it, and so is the other.
                p = None
        elif abs(share[0] - share[1]) < self.found.tolerance:
            self.found.tested(p)
            return
        shown = words.presence(one), words.presence(other)
        self._moved("presence", severity, other, shown, p, shares=share)

    def _types(self, one: Field, old: Sample, other: Field, new: Sample, shape: ModelShape) -> None:
        for name in other.types:
            if name not in one.types:
                self._type_came(name, one, old, other, new, shape)
        for name in one.types:
            if name not in other.types:
                self._type_went(name, one, old, other, new)
        common = [name for name in other.types if name in one.types]
        if len(common) > 1:
            self._shares(common, one, old, other, new)

    def _type_came(
        self, name: str, one: Field, old: Sample, other: Field, new: Sample, shape: ModelShape
    ) -> None:
        count = other.types[name].count
        share = count / other.present
        refused = not shape.accepts(name)
        p = p_value(old.proportion(0, one.present), new.proportion(count, other.present))
        self._add(
            "type",
            "+",
            "breaks" if refused else "new",
            other,
            detail=name,
            before=words.types(one),
            after=words.types(other),
            before_share=0.0,
            after_share=share,
            models=accepted_words(shape) if refused else None,
            p=None if refused or old.knows_type(name) else p,
        )

    def _type_went(self, name: str, one: Field, old: Sample, other: Field, new: Sample) -> None:
        count = one.types[name].count
        share = count / one.present
        p = p_value(old.proportion(count, one.present), new.proportion(0, other.present))
        self._add(
            "type",
            "-",
            "new",
            one,
            detail=name,
            before=words.types(one),
            after=words.types(other),
            before_share=share,
            after_share=0.0,
            p=None if new.knows_type(name) else p,
        )

    def _shares(
        self, common: list[str], one: Field, old: Sample, other: Field, new: Sample
    ) -> None:
        """Compare the types that both sides have; one difference, for the type that moved most."""
        counts = {name: one.types[name].count for name in common}
        later = {name: other.types[name].count for name in common}
        whole, second = sum(counts.values()), sum(later.values())
        name = max(common, key=lambda name: abs(counts[name] / whole - later[name] / second))
        before, after = counts[name] / whole, later[name] / second
        p = p_value(old.proportion(counts[name], whole), new.proportion(later[name], second))
        if p is not None:
            p = min(1.0, p * len(common))  # It was chosen among these.
        if abs(before - after) < self.found.tolerance or before == after:
            self.found.tested(p)
            return
        shown = words.shares(counts), words.shares(later)
        self._moved("share", "moved", other, shown, p, detail=name, shares=(before, after))

    def _lengths(self, one: Field, old: Sample, other: Field, new: Sample) -> None:
        if one.lengths is None or other.lengths is None:
            return
        gap = largest_gap(one.lengths.histogram, other.lengths.histogram)
        arrays = one.types["array"].count, other.types["array"].count
        p = gap_p_value(gap, old.proportion(0, arrays[0]), new.proportion(0, arrays[1]))
        classes = max(one.lengths.histogram, default=0), max(other.lengths.histogram, default=0)
        grew = p is None and classes[0] != classes[1]
        if gap < max(self.found.tolerance, 1e-9) and not grew:
            self.found.tested(p)
            return
        shown = lengths_text(one.lengths), lengths_text(other.lengths)
        self._moved("length", "moved", other, shown, p, detail="elements")

    def _longer(self, one: Field, other: Field, shape: ModelShape) -> None:
        """Report strings and arrays that are too long for the models now and were not before, and
        values that the models refuse."""
        if not shape:
            return
        known = {found.detail for found in too_long(self.collection, one, shape)}
        for found in too_long(self.collection, other, shape):
            if found.detail not in known:
                self.found.add(found)
        for found in refused_values(self.collection, other, shape, one):
            self.found.add(found)

    def _moved(
        self,
        kind: Kind,
        severity: Severity,
        field: Field,
        shown: tuple[str, str],
        p: float | None,
        *,
        detail: str = "",
        shares: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.found.moved(
            Difference(
                collection=self.collection,
                kind=kind,
                sign="~",
                severity=severity,
                subject=field.name,
                detail=detail,
                before=shown[0],
                after=shown[1],
                before_share=shares[0],
                after_share=shares[1],
                p=p,
            )
        )

    def _add(self, kind: Kind, sign: Sign, severity: Severity, field: Field, **more: Any) -> None:
        self.found.add(
            Difference(
                collection=self.collection,
                kind=kind,
                sign=sign,
                severity=severity,
                subject=field.name,
                **more,
            )
        )


def _keys(found: MapKeys) -> str:
    return (
        "keys of several formats" if found.format == "mixed" else f"{printable(found.format)} keys"
    )
