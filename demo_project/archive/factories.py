"""Factories of the archive's models, with which the seed, the tests and the shell make documents.

``NoteFactory()`` saves a note with a new author and a new place; ``build()`` saves nothing. All
random values come from ``factory.random``, so ``factory.random.reseed_random(seed)`` repeats them
exactly.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import factory
from factory.django import DjangoModelFactory
from factory.random import randgen

from demo_project.archive import words
from demo_project.archive.models import (
    Loan,
    Measurement,
    Medium,
    Note,
    Person,
    Place,
    Search,
    Weather,
)

__all__ = [
    "LoanFactory",
    "MeasurementFactory",
    "MediumFactory",
    "NoteFactory",
    "PersonFactory",
    "PlaceFactory",
    "SearchFactory",
    "WeatherFactory",
]

FIRST_DAY = dt.datetime(2021, 3, 1, 6, tzinfo=dt.UTC)
DAYS = 1_500


def _instant() -> dt.datetime:
    """A time within the four years that the archive covers, in whole milliseconds, as in BSON."""
    return FIRST_DAY + dt.timedelta(milliseconds=randgen.randrange(DAYS * 86_400_000))


def _day() -> dt.date:
    return _instant().date()


class PersonFactory(DjangoModelFactory[Person]):
    class Meta:
        model = Person

    name = factory.LazyFunction(
        lambda: f"{randgen.choice(words.GIVEN)} {randgen.choice(words.FAMILY)}"
    )
    slug = factory.LazyFunction(lambda: f"person-{_token()}")
    email = factory.LazyAttribute(lambda person: f"{person.slug}@museum.example")
    role = factory.LazyFunction(lambda: randgen.choice(Person.Role.values))
    joined_on = factory.LazyFunction(_day)
    is_active = factory.LazyFunction(lambda: randgen.random() < 0.9)
    languages = factory.LazyFunction(
        lambda: sorted(randgen.sample(words.LANGUAGES, randgen.randint(1, 3)))
    )


class PlaceFactory(DjangoModelFactory[Place]):
    class Meta:
        model = Place

    class Params:
        number = factory.Sequence(int)
        known = factory.LazyAttribute(lambda place: words.PLACES[place.number % len(words.PLACES)])

    name = factory.LazyAttribute(
        lambda place: _numbered(place.known[0], place.number // len(words.PLACES))
    )
    slug = factory.LazyFunction(lambda: f"place-{_token()}")
    country = factory.LazyAttribute(lambda place: place.known[1])
    location = factory.LazyAttribute(lambda place: _point(place.known[2], place.known[3]))
    elevation = factory.LazyAttribute(
        lambda place: place.known[4] if randgen.random() < 0.9 else None
    )


class WeatherFactory(factory.Factory[Weather]):
    class Meta:
        model = Weather

    sky = factory.LazyFunction(lambda: randgen.choice(Weather.Sky.values))
    temperature = factory.LazyFunction(lambda: round(randgen.uniform(-12, 31), 1))
    wind = factory.LazyFunction(lambda: randgen.randint(0, 9) if randgen.random() < 0.8 else None)


class MeasurementFactory(factory.Factory[Measurement]):
    class Meta:
        model = Measurement

    class Params:
        measure = factory.LazyFunction(lambda: randgen.choice(words.MEASURES))

    kind = factory.LazyAttribute(lambda measurement: measurement.measure[0])
    unit = factory.LazyAttribute(lambda measurement: measurement.measure[1])
    value = factory.LazyAttribute(
        lambda measurement: Decimal(f"{randgen.uniform(*measurement.measure[2:]):.3f}")
    )
    taken_at = factory.LazyFunction(lambda: _instant() if randgen.random() < 0.7 else None)


class NoteFactory(DjangoModelFactory[Note]):
    class Meta:
        model = Note

    class Params:
        number = factory.Sequence(lambda number: number + 1)

    title = factory.LazyAttribute(lambda note: f"{randgen.choice(words.SUBJECTS)} {note.number}")
    body = factory.LazyFunction(
        lambda: " ".join(randgen.choices(words.SENTENCES, k=randgen.randint(2, 6)))
    )
    author = factory.SubFactory(PersonFactory)
    place = factory.SubFactory(PlaceFactory)
    recorded_at = factory.LazyFunction(_instant)
    status = factory.LazyFunction(lambda: randgen.choices(Note.Status.values, weights=(1, 2, 5))[0])
    tags = factory.LazyFunction(lambda: randgen.sample(words.TAGS, randgen.randint(0, 4)))
    weather = factory.LazyFunction(
        lambda: WeatherFactory.build() if randgen.random() < 0.7 else None
    )
    measurements = factory.LazyFunction(
        lambda: MeasurementFactory.build_batch(randgen.choice((0, 0, 1, 2, 3)))
    )
    visits_per_day = factory.LazyAttribute(lambda note: _visits(note.recorded_at.date()))


class MediumFactory(DjangoModelFactory[Medium]):
    class Meta:
        model = Medium

    class Params:
        number = factory.Sequence(int)
        kind = factory.LazyFunction(lambda: randgen.choice(words.MEDIA))

    note = factory.SubFactory(NoteFactory)
    filename = factory.LazyAttribute(lambda medium: f"plate-{medium.number:06}.{medium.kind[0]}")
    content_type = factory.LazyAttribute(lambda medium: medium.kind[1])
    size = factory.LazyFunction(lambda: randgen.randint(2_000, 40_000_000))
    checksum = factory.LazyFunction(lambda: f"{randgen.getrandbits(256):064x}")
    created_at = factory.LazyFunction(_instant)


class LoanFactory(DjangoModelFactory[Loan]):
    class Meta:
        model = Loan

    code = factory.LazyFunction(lambda: f"L-{_token()}")
    medium = factory.SubFactory(MediumFactory)
    borrower = factory.SubFactory(PersonFactory)
    lent_on = factory.LazyFunction(_day)
    due_on = factory.LazyAttribute(lambda loan: loan.lent_on + dt.timedelta(days=28))
    returned_on = factory.LazyAttribute(
        lambda loan: (
            loan.lent_on + dt.timedelta(days=randgen.randint(1, 40))
            if randgen.random() < 0.8
            else None
        )
    )
    deposit = factory.LazyFunction(lambda: Decimal(randgen.choice((0, 0, 10, 25, 50))))


class SearchFactory(DjangoModelFactory[Search]):
    class Meta:
        model = Search

    words = factory.LazyFunction(lambda: randgen.choice(words.SEARCHES))
    results = factory.LazyFunction(lambda: randgen.choice((0, 1, 3, 12, 40)))
    took = factory.LazyFunction(lambda: dt.timedelta(milliseconds=randgen.randint(2, 900)))
    searched_at = factory.LazyFunction(lambda: dt.datetime.now(dt.UTC).replace(microsecond=0))


def _token() -> str:
    """40 random bits in hexadecimal that do not depend on the seed's numbering."""
    return f"{randgen.getrandbits(40):010x}"


def _numbered(name: str, round_: int) -> str:
    return f"{name} {round_ + 1}" if round_ else name


def _point(longitude: float, latitude: float) -> dict[str, Any]:
    return {
        "type": "Point",
        "coordinates": [
            round(longitude + randgen.uniform(-0.4, 0.4), 4),
            round(latitude + randgen.uniform(-0.4, 0.4), 4),
        ],
    }


def _visits(start: dt.date) -> dict[str, int]:
    days = sorted(randgen.sample(range(90), randgen.randint(0, 8)))
    return {(start + dt.timedelta(days=day)).isoformat(): randgen.randint(1, 40) for day in days}
