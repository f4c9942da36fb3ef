"""The demo's own judgement of generated models: it can fail, and it leaves no trace."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId

from demo_project.demo.bson_difference import difference
from tests.demo.conftest import Demo

GOOD = """
from django.db import models
from django_mongodb_backend.fields import ArrayField, ObjectIdField
class Card(models.Model):
    id = models.IntegerField(primary_key=True, db_column="_id")
    title = models.TextField()
    shelf = models.JSONField(null=True)
    weight = models.TextField(null=True)
    received = models.TextField(null=True)
    note = ObjectIdField(null=True)
    place = ObjectIdField(null=True)
    handled_by = ArrayField(models.TextField(), null=True)
    provenance = models.JSONField(null=True)
    accession = models.TextField(null=True)
    acession = models.TextField(null=True)
    class Meta:
        db_table = "legacy_cards"
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": Int64(1)}, None),
        ({}, {"a": None}, None),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2, "d": None}]}}, None),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
        ({"a": 1}, {"a": 1.0}, "a was 1 and is 1.0"),
        ({"a": True}, {"a": 1}, "a was True and is 1"),
        ({"a": 1}, {}, "a was 1 and is None"),
        ({"a": [1]}, {"a": [1, 2]}, "a was [1] and is [1, 2]"),
        ({"a": {"b": ["x"]}}, {"a": {"b": ["y"]}}, "a.b[0] was 'x' and is 'y'"),
        ({"a": "1"}, {"a": 1}, "a was '1' and is 1"),
        (
            {"a": Decimal128("1.50")},
            {"a": Decimal128("1.5")},
            "a was Decimal128('1.50') and is Decimal128('1.5')",
        ),
        ({"a": ObjectId("0" * 24)}, {"a": ObjectId("0" * 24)}, None),
        ({"a": dt.datetime(2024, 1, 1)}, {"a": dt.datetime(2024, 1, 1)}, None),
        ({"a": float("nan")}, {"a": float("nan")}, None),
    ],
)
def test_difference(before: Any, after: Any, expected: str | None) -> None:
    assert difference(before, after) == expected


JUDGE = """
from pathlib import Path
from demo_project.demo.round_trip import round_trip
from demo_project.demo.step import StepFailed
def judge(path):
    try:
        return round_trip(path)
    except StepFailed as error:
        return str(error)
result = [judge(path) for path in sorted(Path({folder!r}).glob("*.py"))]
"""

VERDICTS = (
    ("nothing", "nothing", {"legacy_cards": 80}),
    (
        "shelf = models.JSONField(null=True)",
        "shelf = models.TextField(null=True)",
        "legacy_cards 1 comes back different through the models: shelf was 0 and is '0'.",
    ),
    (
        "from django.db",
        "from django.nowhere",
        "models_2.py cannot be imported: No module named 'django.nowhere'.",
    ),
    (
        "ObjectIdField(null=True)",
        "models.JSONField(null=True)",
        "legacy_cards cannot be loaded and saved through Card: "
        "TypeError: Object of type ObjectId is not JSON serializable.",
    ),
    (
        "models.TextField(null=True)",
        "models.CharField(max_length=-1)",
        "Django's checks refuse Card: 'max_length' must be a positive integer.",
    ),
)


def test_good_models_pass_bad_ones_fail_and_none_leaves_a_trace(demo: Demo, tmp_path: Path) -> None:
    for number, (old, new, _) in enumerate(VERDICTS):
        (tmp_path / f"models_{number}.py").write_text(GOOD.replace(old, new))
    before = list(demo.database.legacy_cards.find())
    said = demo.run(JUDGE.format(folder=str(tmp_path)))
    assert said == [expected for _, _, expected in VERDICTS]
    assert list(demo.database.legacy_cards.find()) == before
