"""The archive's models and factories on the real backend."""

from __future__ import annotations

from tests.demo.conftest import Demo


def test_embedded_values_come_back_as_they_were_saved(demo: Demo) -> None:
    result = demo.run(
        """
from decimal import Decimal
from demo_project.archive.factories import *
from demo_project.archive.models import *
made = NoteFactory(
    title="Round trip",
    tags=["peat", "moss"],
    weather=WeatherFactory(sky="fog", temperature=3.5, wind=None),
    measurements=[MeasurementFactory(kind="depth", unit="m", value=Decimal("1.250"))],
    visits_per_day={"2024-05-01": 3},
)
note = Note.objects.get(pk=made.pk)
result = {
    "same time": note.recorded_at == made.recorded_at,
    "weather": str(note.weather),
    "wind": note.weather.wind,
    "measurements": [str(found) for found in note.measurements],
    "by measure": Note.objects.filter(measurements__kind="depth", title="Round trip").count(),
    "by tag": Note.objects.filter(tags__contains=["peat"], title="Round trip").count(),
    "visits": note.visits_per_day,
}
note.delete(); made.author.delete(); made.place.delete()
"""
    )
    assert result == {
        "same time": True,
        "weather": "Fog, 3.5 °C",
        "wind": None,
        "measurements": ["depth 1.25 m"],
        "by measure": 1,
        "by tag": 1,
        "visits": {"2024-05-01": 3},
    }


def test_factories_repeat_themselves_from_a_seed(demo: Demo) -> None:
    first, again, other = demo.run(
        """
from factory.random import reseed_random
from demo_project.archive.factories import NoteFactory
from demo_project.archive.models import Person, Place
def make(seed):
    reseed_random(seed)
    note = NoteFactory.build(number=1, author=Person(), place=Place())
    return [note.title, note.body, note.recorded_at, note.tags, str(note.measurements)]
result = [make("a"), make("a"), make("b")]
"""
    )
    assert first == again != other
