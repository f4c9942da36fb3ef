"""The seeded oddities that a JSON report lacks, and the seeded drift that a JSON plan lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from demo_project.archive.seeding.drift import DRIFT, Drift
from demo_project.archive.seeding.oddities import ODDITIES, Oddity

Json = dict[str, Any]


def missing_oddities(document: Json) -> list[Oddity]:
    """The oddities that a report of ``inspectmongo --format json`` should show but does not."""
    collections = {collection["name"]: collection for collection in document["collections"]}
    time_series = _at_least(document["server"]["version"], (5, 0))
    return [
        oddity
        for oddity in ODDITIES
        if not (oddity.type == "timeseries" and not time_series)
        and not is_shown(oddity, collections.get(oddity.collection))
    ]


def missing_drift(document: Json) -> list[Drift]:
    """The drift that a plan of ``syncmongoschema --plan --prune drop --format json`` should show
    but does not."""
    return [
        drift
        for drift in DRIFT
        if not any(
            change["collection"] == drift.collection
            and change["sign"] == drift.sign
            and change["words"].startswith(drift.words)
            and change["steps"]
            for change in document["differences"]
        )
    ]


def is_shown(oddity: Oddity, collection: Json | None) -> bool:
    return collection is not None and all(_facts(oddity, collection))


def _facts(oddity: Oddity, collection: Json) -> Iterator[bool]:
    if oddity.type is not None:
        yield collection["type"] == oddity.type
    if oddity.option is not None:
        yield bool(collection["options"].get(oddity.option))
    if oddity.index is not None:
        yield oddity.index in {index["name"] for index in collection["indexes"]}
    if oddity.field is not None:
        yield oddity.field in {field["path"] for field in collection["fields"]}
    if oddity.warning is not None:
        yield any(
            warning["code"] == oddity.warning and oddity.path in (None, warning["path"])
            for warning in collection["warnings"]
        )


def _at_least(version: str, wanted: tuple[int, int]) -> bool:
    major, minor = version.split(".")[:2]
    return (int(major), int(minor)) >= wanted
