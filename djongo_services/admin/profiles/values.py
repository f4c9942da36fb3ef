"""Summaries of the values of a profile's fields, read on request of a user who may see them.

A new sample is read each time, and nothing of it is stored. Secrets are excluded by their names and
by their appearance; one value that looks like a secret hides its whole field.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import bson
from bson import DatetimeMS, Decimal128, Int64
from django.utils.translation import gettext as _

from djongo_services.admin.deadline import Mongo
from djongo_services.admin.documents.tree import Reader
from djongo_services.bson_decoding import LENIENT
from djongo_services.formatting import count, percent, value_text
from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.profiling.walk import split_documents
from djongo_services.introspection.report import Field

DOCUMENTS: Final = 1_000
"""The number of documents in the sample."""
LARGEST: Final = 100_000
"""The maximum size in bytes of a document in the sample; larger ones are left out."""
MOST_BYTES: Final = 4_000_000
"""The maximum size in bytes of the sample, whatever its number of documents is."""
_MOST: Final = 5_000
"""The maximum number of values of one field."""
_BINS: Final = 12
_TOP: Final = 5
_EXAMPLES: Final = 3
_FREQUENT: Final = 0.05
_LONGEST: Final = 60
WIDTH: Final = 100
HEIGHT: Final = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class HistogramBar:
    x: str
    width: str
    y: str
    height: str
    text: str
    """``10 to 20: 42``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueHistogram:
    bars: tuple[HistogramBar, ...]
    minimum: str
    maximum: str
    family: str
    """The name of its colour."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TopValue:
    text: str
    share: str
    width: str
    """The width of the bar in the SVG, out of 100."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldValues:
    is_hidden: bool = False
    histograms: tuple[ValueHistogram, ...] = ()
    top: tuple[TopValue, ...] = ()
    distinct: str = ""
    """The number of different texts in the sample."""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SampledValues:
    documents: int
    by_path: Mapping[Path, FieldValues]


def sample_values(
    database: Mongo, name: str, fields: Sequence[Field], reader: Reader
) -> SampledValues:
    """Read a sample with one command, and those that fetch the rest of its results. Raises
    PyMongo's errors."""
    small = {"$expr": {"$lte": [{"$bsonSize": "$$ROOT"}, LARGEST]}}
    pipeline: list[Mapping[str, Any]] = [{"$sample": {"size": DOCUMENTS}}, {"$match": small}]
    found = _Found(reader)
    documents = read = 0
    with database[name].aggregate_raw_batches(pipeline, batchSize=250) as batches:
        batch: Any
        for batch in batches:
            for raw in split_documents(batch):
                documents += 1
                read += len(raw)
                document: dict[str, Any] = bson.decode(raw, LENIENT)
                found.document(document, fields, ())
            if read >= MOST_BYTES:
                break
    return SampledValues(
        documents=documents,
        by_path={
            path: summed
            for path, values in found.by_path.items()
            if (summed := _summary(values)) != _NOTHING
        },
    )


@dataclass(slots=True)
class _Values:
    is_hidden: bool = False
    numbers: list[float] = field(default_factory=list)
    moments: list[int] = field(default_factory=list)
    texts: Counter[str] = field(default_factory=Counter)
    others: list[Any] = field(default_factory=list)

    def add(self, value: Any) -> None:
        match value:
            case None:
                return
            case bool():
                self.texts["true" if value else "false"] += 1
            case int() | Int64() | float() | Decimal128():
                number = float(value.to_decimal() if isinstance(value, Decimal128) else value)
                if math.isfinite(number) and len(self.numbers) < _MOST:
                    self.numbers.append(number)
            case datetime() | DatetimeMS():
                if len(self.moments) < _MOST:
                    self.moments.append(_milliseconds(value))
            case str() if type(value) is str:
                if len(self.texts) < _MOST or value in self.texts:
                    self.texts[value] += 1
            case _ if len(self.others) < _EXAMPLES and value not in self.others:
                self.others.append(value)


def _milliseconds(value: datetime | DatetimeMS) -> int:
    return int(value) if isinstance(value, DatetimeMS) else int(DatetimeMS(value))


class _Found:
    """Values by path, collected along the fields of a profile."""

    def __init__(self, reader: Reader) -> None:
        self.by_path: dict[Path, _Values] = {}
        self._reader = reader
        self._known: dict[tuple[Path, Any], bool] = {}

    def document(self, document: Mapping[str, Any], fields: Iterable[Field], named: Path) -> None:
        for one in fields:
            step = one.path[-1]
            if step is KEY:
                for name, value in document.items():
                    self._value(value, one, (*named, name))
            elif isinstance(step, str) and step in document:
                self._value(document[step], one, (*named, step))

    def _value(self, value: Any, of: Field, named: Path) -> None:
        match value:
            case Mapping():
                self.document(value, of.children, named)
            case list():
                for one in of.children:
                    if one.path[-1] is ELEMENT:
                        for item in value[:_MOST]:
                            self._value(item, one, named)
            case _:
                values = self.by_path.setdefault(of.path, _Values())
                if not values.is_hidden:
                    values.is_hidden = self._hides(value, named)
                    values.add(value)

    def _hides(self, value: Any, named: Path) -> bool:
        if not isinstance(value, str | bytes | int):
            return False
        key = (named, value)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._reader.hides(value, named)
        return found


_NOTHING: Final = FieldValues()


def _summary(values: _Values) -> FieldValues:
    if values.is_hidden:
        return FieldValues(is_hidden=True)
    histograms = []
    if values.numbers:
        histograms.append(_histogram(values.numbers, _number_text, "number"))
    if values.moments:
        histograms.append(_histogram([float(one) for one in values.moments], _moment_text, "date"))
    few = values.texts.most_common(_TOP) if _is_repeated(values.texts) else []
    examples = [] if few else [value_text(one, _LONGEST) for one in list(values.texts)[:_EXAMPLES]]
    examples += [value_text(one, _LONGEST) for one in values.others]
    return FieldValues(
        histograms=tuple(histograms),
        top=tuple(_top(text, number, values.texts.total()) for text, number in few),
        distinct=count(len(values.texts)) if len(values.texts) > _TOP else "",
        examples=tuple(examples),
    )


def _is_repeated(texts: Counter[str]) -> bool:
    """Whether the most frequent ones are meaningful."""
    if len(texts) <= _TOP:
        return len(texts) < texts.total()
    return texts.most_common(1)[0][1] >= _FREQUENT * texts.total()


def _top(text: str, number: int, whole: int) -> TopValue:
    share = number / whole
    return TopValue(
        text=value_text(text, _LONGEST),
        share=percent(share),
        width=f"{max(100 * share, 1):.1f}",
    )


def _histogram(numbers: list[float], text: Any, family: str) -> ValueHistogram:
    low, high = min(numbers), max(numbers)
    bins = 1 if low == high else _BINS
    # Halves, so that the width of the widest possible range does not overflow.
    width = (high / 2 - low / 2) / bins * 2
    tally = [0] * bins
    for number in numbers:
        place = int((number / 2 - low / 2) / (width / 2)) if width > 0 else 0
        tally[min(place, bins - 1)] += 1
    most = max(tally)
    bars = []
    for place, found in enumerate(tally):
        height = max(HEIGHT * found / most, 1.0) if found else 0.0
        start, end = text(low + place * width), text(low + (place + 1) * width)
        bars.append(
            HistogramBar(
                x=f"{WIDTH / bins * place:.2f}",
                width=f"{WIDTH / bins * 0.9:.2f}",
                y=f"{HEIGHT - height:.1f}",
                height=f"{height:.1f}",
                text=_bar_text(start, end if bins > 1 else None, found),
            )
        )
    return ValueHistogram(bars=tuple(bars), minimum=text(low), maximum=text(high), family=family)


def _bar_text(start: str, end: str | None, found: int) -> str:
    if end is None:
        return f"{start}: {count(found)}"
    return _("%(start)s to %(end)s: %(count)s") % {
        "start": start,
        "end": end,
        "count": count(found),
    }


def _number_text(number: float) -> str:
    if abs(number) < 1_000:
        return f"{number:.4g}"
    return f"{number:,.0f}" if abs(number) < 1e15 else f"{number:g}"


def _moment_text(milliseconds: float) -> str:
    moment = DatetimeMS(int(milliseconds))
    try:
        return value_text(moment.as_datetime())
    except (OverflowError, ValueError):
        return value_text(moment)
