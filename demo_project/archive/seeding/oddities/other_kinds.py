"""Collections of other kinds: a view, a capped collection, a time series."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pymongo.database import Database

from demo_project.archive.seeding.batches import insert
from demo_project.archive.seeding.oddities.oddity import Oddity
from demo_project.archive.seeding.sizes import Size
from djongo_services.abilities import read_abilities

VIEW = "published_notes"
CAPPED = "audit_trail"
TIME_SERIES = "weather_readings"

ODDITIES = (
    Oddity(collection=VIEW, says="a view on archive_note", type="view"),
    Oddity(collection=CAPPED, says="a capped collection", option="capped"),
    Oddity(collection=TIME_SERIES, says="a time series, where the server can", type="timeseries"),
)


def seed(database: Database[Any], size: Size) -> dict[str, int]:
    for name in (VIEW, CAPPED, TIME_SERIES):
        database.drop_collection(name)
    database.create_collection(
        VIEW,
        viewOn="archive_note",
        pipeline=[
            {"$match": {"status": "published"}},
            {"$project": {"title": 1, "author_id": 1, "recorded_at": 1, "tags": 1}},
        ],
    )
    made = {CAPPED: _seed_capped(database)}
    if read_abilities(database.client).time_series:
        made[TIME_SERIES] = _seed_time_series(database, size.readings)
    return made


def _seed_capped(database: Database[Any]) -> int:
    trail = database.create_collection(CAPPED, capped=True, size=64 * 1024, max=40)
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    events = [
        {"_id": number, "at": start + dt.timedelta(hours=number), "event": "opened"}
        for number in range(20)
    ]
    insert(trail, events)
    return len(events)


def _seed_time_series(database: Database[Any], count: int) -> int:
    readings = database.create_collection(
        TIME_SERIES, timeseries={"timeField": "at", "metaField": "station", "granularity": "hours"}
    )
    start = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    insert(
        readings,
        (
            {
                "at": start + dt.timedelta(hours=number // 4),
                "station": {"name": "ABCD"[number % 4], "height": 2},
                "celsius": round(4 + number * 7 % 60 / 10, 1),
            }
            for number in range(count)
        ),
    )
    return count
