"""The collector, inspections and the search for drift, each in a thread."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

from bson import ObjectId

from djongo_services.connections import connections
from tests.soak.loads.commands import must, run
from tests.soak.loads.load import How, Load, Wrong

AGE = "60s"
"""How old garbage must be to be collected: older than any upload of the load lasts."""

TOWN = ("town_account", "town_paper", "town_transfer")
"""The collections whose models do not change."""


def make(how: How) -> list[Load]:
    return [
        Collector(name="collector", how=how),
        Inspector(name="inspector", how=how),
        Drift(name="drift", how=how),
    ]


class Collector(Load):
    """Leaves garbage that is an hour old, and has it collected."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.acts = itertools.cycle([self.litter, self.collect, self.check, self.purge])

    def step(self) -> None:
        next(self.acts)()

    def litter(self) -> None:
        """Chunks of no file, and a file that nothing refers to."""
        name = self.next_name()
        before = datetime.now(UTC) - timedelta(hours=1)

        def work() -> None:
            database = connections["default"].database
            chunks = [{"files_id": id_of(before), "n": n, "data": bytes(100)} for n in range(3)]
            database["media.chunks"].insert_many([{"_id": id_of(before), **c} for c in chunks])
            file = {"_id": id_of(before), "length": 0, "chunkSize": 261120, "uploadDate": before}
            database["media.files"].insert_one({**file, "filename": f"litter/{name}"})

        self.told("litter", work, undone=False)

    def collect(self) -> None:
        def work() -> None:
            run("gridfs_gc", older_than=AGE, noinput=True)

        self.told("collect", work, undone=False)

    def purge(self) -> None:
        def work() -> None:
            run("gridfs_gc", "media", purge=True, older_than="10s", noinput=True)

        self.told("purge", work, undone=False)

    def check(self) -> None:
        """No file is broken, even while other programs save or delete one."""

        def work() -> None:
            must("gridfs_gc", "media", check=True, verify=True, only=["broken"], older_than=AGE)

        self.told("check files", work)


def id_of(moment: datetime) -> ObjectId:
    """One of that moment, and unlike any other."""
    return ObjectId(ObjectId.from_datetime(moment).binary[:4] + ObjectId().binary[4:])


class Inspector(Load):
    def step(self) -> None:
        depth = self.chance.choice(["sample", "sample", "complete", "exact"])
        form = self.chance.choice(["json", "report", "models", "html"])
        values = self.chance.random() < 0.3

        def work() -> None:
            _, said = run("inspectmongo", depth=depth, format=form, values=values)
            if form == "json":
                names = {each["name"] for each in json.loads(said)["collections"]}
                if not {"town_transfer", "town_paper", "media.files"} <= names:
                    raise Wrong(f"Collections are missing: {sorted(names)}")

        self.told("inspect", work)


class Drift(Load):
    baseline = False

    def step(self) -> None:
        path = str(self.how.folder / "baseline.json")

        def keep() -> None:
            run("inspectmongo", format="json", output=path)
            self.baseline = True

        def compare() -> None:
            run("inspectmongo", baseline=path, check=True)

        def models() -> None:
            must("inspectmongo", *TOWN, against_models=True, check=True, fail_on="breaks")

        if not self.baseline:
            self.told("keep a report", keep)
        else:
            self.told("drift", self.chance.choice([compare, models]))
