"""How long the builds of a plan take, about."""

from __future__ import annotations

from typing import Any

import pytest

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import History, apply
from djongo_services.schema.applying.history import MeasuredBuild
from djongo_services.schema.diff import diff
from djongo_services.schema.estimating import FAST, SLOW, Estimates, read_estimates
from djongo_services.schema.operations import BuildIndexes, Operation, SetHidden
from djongo_services.schema.sizes import CollectionSize, collection_sizes
from djongo_services.schema.spec import CollectionSpec, IndexSpec

LARGE = CollectionSize(documents=1_000_000, bytes=500_000_000)


def build(collection: str, *names: str) -> BuildIndexes:
    indexes = tuple(IndexSpec(name=name, keys=((name, 1),)) for name in names)
    return BuildIndexes(collection=collection, indexes=indexes)


def measured(share: float, size: CollectionSize = LARGE) -> MeasuredBuild:
    """A build that took that share of a slow server's time."""
    return MeasuredBuild(size=size, indexes=1, seconds=share * SLOW.seconds(size, 1))


class TestByUsualSpeeds:
    KNOWN = Estimates(sizes={"large": LARGE, "empty": CollectionSize(documents=0, bytes=0)})

    def test_the_range(self) -> None:
        found = self.KNOWN.of([build("large", "a")])
        assert (found.low, found.high) == (FAST.seconds(LARGE, 1), SLOW.seconds(LARGE, 1))
        assert (found.documents, found.bytes, found.builds) == (1_000_000, 500_000_000, 0)

    def test_another_index_costs_its_keys_and_no_other_scan(self) -> None:
        one = self.KNOWN.of([build("large", "a")])
        two = self.KNOWN.of([build("large", "a", "b")])
        assert two.high - one.high == pytest.approx(1_000_000 / SLOW.keys)

    def test_steps_of_one_collection_add_up(self) -> None:
        found = self.KNOWN.of([build("large", "a"), build("large", "b")])
        assert found.high == 2 * SLOW.seconds(LARGE, 1)
        assert found.documents == 1_000_000

    @pytest.mark.parametrize(
        "step",
        [
            build("empty", "a"),
            build("new", "a"),
            SetHidden(collection="large", index="a", hidden=True),
        ],
        ids=["empty", "new", "no build"],
    )
    def test_where_there_is_nothing_to_estimate(self, step: Operation) -> None:
        assert self.KNOWN.of([step]) is None


class TestByTheHistory:
    def test_one_build(self) -> None:
        known = Estimates(sizes={"large": LARGE}, measured=(measured(0.1),))
        found = known.of([build("large", "a")])
        assert found.builds == 1
        assert found.low < 0.1 * SLOW.seconds(LARGE, 1) < found.high
        assert found.high / found.low == pytest.approx(2.25)

    def test_the_fastest_and_the_slowest_of_many_do_not_count(self) -> None:
        shares = (0.1, 0.11, 0.12, 9.0)
        known = Estimates(sizes={"large": LARGE}, measured=tuple(map(measured, shares)))
        found = known.of([build("large", "a")])
        slow = SLOW.seconds(LARGE, 1)
        assert found.builds == 4
        assert found.low == pytest.approx(0.11 * slow / 1.5)
        assert found.high == pytest.approx(0.12 * slow * 1.5)

    def test_short_builds_say_nothing(self) -> None:
        short = measured(50.0, CollectionSize(documents=10, bytes=1_000))
        known = Estimates(sizes={"large": LARGE}, measured=(short,))
        assert known.of([build("large", "a")]).builds == 0


class TestOnAServer:
    SPEC = CollectionSpec(
        name="things",
        models=("app.Thing",),
        indexes=tuple(IndexSpec(name=name, keys=((name, 1),)) for name in ("a", "b")),
    )

    @pytest.fixture
    def things(self, database: Any) -> Any:
        database.things.insert_many([{"a": n, "b": "x" * 10} for n in range(100)])
        return database

    def test_builds_are_kept_with_what_they_took(self, things: Any) -> None:
        plan = diff(read_catalog(things), (self.SPEC,))
        before = read_estimates(things, plan.operations)
        assert before.sizes["things"].documents == 100
        assert before.measured == ()
        run = apply(things, plan)
        (built,) = History(things).builds(5)
        assert (built.size, built.indexes) == (before.sizes["things"], 2)
        (step,) = [step for step in History(things).steps(run) if step.operation in plan.operations]
        assert step.seconds == built.seconds > 0

    def test_no_builds_ask_nothing(self) -> None:
        nowhere: Any = None
        step = SetHidden(collection="things", index="a", hidden=True)
        assert read_estimates(nowhere, [step]) == Estimates()

    def test_sizes(self, things: Any) -> None:
        things.create_collection("seen", viewOn="things")
        for number in range(60):
            things[f"c{number}"].insert_one({})
        names = ["things", "seen", "missing", *(f"c{number}" for number in range(60))]
        sizes = collection_sizes(things, names)
        assert len(sizes) == 61
        assert sizes["things"].documents == 100
        assert sizes["things"].bytes > 100 * 10
        assert collection_sizes(things, []) == {}
