"""The only load that changes the schema: by hand, by syncs, and by migrations back and forth."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from pymongo.errors import OperationFailure

from djongo_services.connections import connections
from tests.soak.known import ITEMS
from tests.soak.loads.commands import must, run
from tests.soak.loads.load import How, Load, Outcome, Wrong

NEWEST = "0003"


def make(how: How) -> list[Load]:
    return [Schema(name="schema", how=how)]


class Schema(Load):
    """No other program changes indexes, validators and migrations, so the expected result of each
    operation is known."""

    def __post_init__(self) -> None:
        super().__post_init__()
        there_and_back = [partial(self.migrate, "0001"), partial(self.migrate, NEWEST)]
        one_back = [partial(self.migrate, "0002"), partial(self.migrate, NEWEST)]
        acts: list[Callable[[], Outcome]]
        acts = [self.sync, *there_and_back, self.sync_by_plan, *one_back, self.undo]
        self.acts = itertools.cycle(acts)
        self.act = next(self.acts)

    def step(self) -> None:
        """A migration that is interrupted is run again, and so is a sync."""
        if self.act() in ("done", "wrong"):
            self.act = next(self.acts)

    def migrate(self, target: str) -> Outcome:
        def work() -> None:
            run("migrate", "moving", target, verbosity=0)
            check_items(target)

        return self.told("migrate", work, undone=False)

    def sync(self) -> Outcome:
        """Changes made by hand are reverted to what the models say."""

        def work() -> None:
            self.change_by_hand()
            run("syncmongoschema", noinput=True)
            must("syncmongoschema", check=True)

        return self.told("sync", work, undone=False)

    def sync_by_plan(self) -> Outcome:
        """The plan is kept in a file, and is of the database as it is."""
        plan = str(self.how.folder / "plan.json")

        def work() -> None:
            self.change_by_hand()
            run("syncmongoschema", plan=True, format="json", output=plan)
            run("syncmongoschema", from_plan=plan, noinput=True)
            must("syncmongoschema", check=True)

        return self.told("sync by plan", work, undone=False)

    def undo(self) -> Outcome:
        """The last run is rolled back and done again."""

        def work() -> None:
            self.change_by_hand()
            run("syncmongoschema", noinput=True)
            _, said = run("syncmongoschema", history=True, format="json")
            last = json.loads(said)["runs"][0]
            run("syncmongoschema", rollback=last["run"], allow_destructive=True, noinput=True)
            if run("syncmongoschema", check=True)[0] != 1:
                raise Wrong("What was rolled back is in sync.")
            run("syncmongoschema", noinput=True)
            must("syncmongoschema", check=True)

        return self.told("undo", work, undone=False)

    def change_by_hand(self) -> None:
        database = connections["default"].database
        with suppress(OperationFailure):  # It is missing where the last sync was interrupted.
            database.town_transfer.drop_index("transfer_by_name")
        if self.chance.random() < 0.5:
            database.command("collMod", "town_paper", validationLevel="off")


def check_items(migration: str) -> None:
    found: list[dict[str, Any]] = list(connections["default"].database.moving_item.find())
    as_text = migration == NEWEST
    for item in found:
        amount = str(item["number"]) if as_text else item["number"]
        if item["amount"] != amount:
            raise Wrong(f"item {item['number']} has the amount {item['amount']!r} at {migration}")
        if (item.get("note") == "new") != (migration != "0001"):
            raise Wrong(f"item {item['number']} has the note {item.get('note')!r} at {migration}")
    if sorted(item["number"] for item in found) != list(range(ITEMS)):
        raise Wrong(f"there are {len(found)} items instead of {ITEMS}")
