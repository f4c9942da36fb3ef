"""What is unique under the old definition of an index and under the new one is unique at every
moment in between, whatever is interrupted, and nothing is refused that both accept.

The server says what a definition refuses: each is asked in a collection of its own.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, TypeAlias, cast

import pytest
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, DuplicateKeyError

from djongo_services.introspection import read_catalog
from djongo_services.schema.applying import ApplyProgress, OperationRefused, apply
from djongo_services.schema.applying.running import run_operation
from djongo_services.schema.diff import diff
from djongo_services.schema.operations import SHADOW_PREFIX, DropIndex, Operation, Risk
from djongo_services.schema.plan import Plan
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from tests.schema.killed_run import run_killed
from tests.schema.renamed_unique import SPECS
from tests.schema.rollbacks import roll_back
from tests.schema.test_faults import finish

pytestmark = pytest.mark.versions


Pair: TypeAlias = tuple[dict[str, Any], dict[str, Any]]

KEYS: dict[str, tuple[tuple[tuple[str, int], ...], dict[str, Any]]] = {
    "ascending": ((("a", 1),), {}),
    "descending": ((("a", -1),), {}),
    "sparse": ((("a", 1),), {"sparse": True}),
    "partial": ((("a", 1),), {"partialFilterExpression": {"a": {"$type": "string"}}}),
    "partial by another field": ((("a", 1),), {"partialFilterExpression": {"b": {"$gt": 1}}}),
    "collated": ((("a", 1),), {"collation": {"locale": "en", "strength": 2}}),
    "compound": ((("a", 1), ("b", 1)), {}),
    "compound, sparse": ((("a", 1), ("b", -1)), {"sparse": True}),
    "with _id": ((("a", 1), ("_id", 1)), {}),
    "expiring": ((("a", 1),), {"expireAfterSeconds": 10**8}),
}
PAIRS: tuple[Pair, ...] = (
    ({"a": "x", "b": 1}, {"a": "x", "b": 1}),
    ({"a": "x", "b": 1}, {"a": "X", "b": 1}),
    ({"a": "x", "b": 1}, {"a": "x", "b": 2}),
    ({"a": "x", "b": 2}, {"a": "x", "b": 2}),
    ({"a": 1, "b": 2}, {"a": 1, "b": 2}),
    ({"a": [1, 7]}, {"a": 7}),
    ({"a": None}, {"a": None}),
    ({"b": 1}, {"b": 1}),
    ({"a": "x"}, {"a": "y"}),
)
"""Documents that one kind refuses and another accepts."""


def unique(name: str, kind: str) -> IndexSpec:
    keys, options = KEYS[kind]
    return IndexSpec(name=name, keys=keys, options={"unique": True, **options})


def things(*indexes: IndexSpec) -> CollectionSpec:
    return CollectionSpec(name="things", models=("app.Thing",), indexes=indexes)


def plan_for(database: Database[Any], *indexes: IndexSpec) -> Plan:
    return diff(read_catalog(database, names=["things"]), (things(*indexes),))


def create(collection: Collection[Any], spec: IndexSpec) -> None:
    collection.create_index(cast("Any", list(spec.keys)), name=spec.name, **spec.options)


def refuses(collection: Collection[Any], pair: Pair) -> bool:
    """Whether the second document cannot exist beside the first."""
    try:
        collection.insert_many([{**document} for document in pair])
    except BulkWriteError as error:
        return bool(error.details["writeErrors"][0]["code"] == 11000)
    finally:
        collection.delete_many({})
    return False


def refused_by(database: Database[Any], kind: str) -> set[int]:
    """The numbers of :data:`PAIRS` that a unique index of this kind refuses."""
    scratch = database.scratch
    scratch.drop()
    create(scratch, unique("scratch", kind))
    found = {number for number, pair in enumerate(PAIRS) if refuses(scratch, pair)}
    scratch.drop()
    return found


class Watched:
    """A rebuild of one unique index as another, looked at after every command."""

    def __init__(self, database: Database[Any], both: set[int], neither: set[int]) -> None:
        self.database, self.both, self.neither = database, both, neither

    def look(self, after: object) -> None:
        refused = {n for n in self.both | self.neither if refuses(self.database.things, PAIRS[n])}
        assert refused == self.both, (after, self.database.things.index_information())

    def rebuild(self, old: IndexSpec, new: IndexSpec, *, after: int) -> None:
        """Interrupted after so many commands."""
        self.database.things.drop()
        create(self.database.things, old)
        plan = plan_for(self.database, new)
        _destroys_nothing(plan)
        self.carry_out(plan.operations[:after])
        again = plan_for(self.database, new)
        _destroys_nothing(again)
        self.carry_out(again.operations)
        assert plan_for(self.database, new).in_sync
        assert new.name in self.database.things.index_information()

    def carry_out(self, operations: tuple[Operation, ...]) -> None:
        for operation in operations:
            run_operation(self.database, operation, stop=threading.Event())
            self.look(operation.words())


_rejections: dict[str, dict[str, set[int]]] = {}


@pytest.fixture
def rejections(matrix_database):
    """The refused pairs by kind, read from each server once."""
    version = matrix_database.client.server_info()["version"]
    if version not in _rejections:
        _rejections[version] = {kind: refused_by(matrix_database, kind) for kind in KEYS}
    return _rejections[version]


@pytest.mark.parametrize("old", KEYS)
def test_from_every_definition_to_every_other(matrix_database, rejections, old):
    """Some under the same name and some renamed; some at once, others interrupted after one, two or
    three commands and planned again."""
    for number, new in enumerate(KEYS):
        both = rejections[old] & rejections[new]
        neither = set(range(len(PAIRS))) - rejections[old] - rejections[new]
        watched = Watched(matrix_database, both, neither)
        name = "new" if (number + len(old)) % 2 else "old"
        watched.rebuild(unique("old", old), unique(name, new), after=number % 4)


class TestBesideWriters:
    """Writers that insert every key twice, all the time."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("ascending", "ascending"),
            ("ascending", "descending"),
            ("ascending", "sparse"),
            ("ascending", "partial"),
            ("sparse", "collated"),
        ],
    )
    def test_no_duplicate_gets_in(self, matrix_database, old, new):
        name = "renamed" if new == old else "old"
        create(matrix_database.things, unique("old", old))
        plan = plan_for(matrix_database, unique(name, new))
        with writing_twice(matrix_database) as written:
            run = apply(matrix_database, plan, progress=written)
        assert duplicates(matrix_database) == []
        with writing_twice(matrix_database) as written:
            roll_back(matrix_database, run, progress=written)
        assert duplicates(matrix_database) == []
        assert plan_for(matrix_database, unique("old", old)).in_sync


class TestKilled:
    """SIGKILL before and after every single command, beside a writer."""

    @pytest.mark.parametrize("event", ["started", "succeeded"])
    def test_no_duplicate_gets_in(self, database, mongodb_server, event):
        copies = [database.client[f"{database.name}_{number}"] for number in range(6)]
        try:
            for copy in copies:
                create(copy.things, unique("a_key", "ascending"))
            with ExitStack() as stack:
                for copy in copies:
                    stack.enter_context(writing_twice(copy))
                names = [copy.name for copy in copies]
                ends = run_killed(mongodb_server.uri, event, "tests.schema.renamed_unique", *names)
                # The history's own index, and four commands of the plan.
                assert ends == [-signal.SIGKILL] * 5 + [1]
                for copy in copies:
                    finish(copy, *SPECS)
            for copy in copies:
                assert duplicates(copy) == []
                assert set(copy.things.index_information()) == {"_id_", "a_key"}
        finally:
            for copy in copies:
                database.client.drop_database(copy)


@contextmanager
def writing_twice(database: Database[Any]) -> Iterator[Callable[[ApplyProgress], None]]:
    """Gives a hook that lets some more be written before each operation begins."""
    ended = threading.Event()
    some_more = threading.Condition()
    written = 0

    def write() -> None:
        nonlocal written
        things = database.get_collection("things", write_concern=WriteConcern(1))
        while not ended.is_set():
            key = f"{written}-{id(ended)}"
            for _ in range(2):
                with suppress(DuplicateKeyError):
                    things.insert_one({"a": key})
            with some_more:
                written += 1
                some_more.notify_all()

    def wait(_: ApplyProgress | None = None) -> None:
        with some_more:
            goal = written + 5
            assert some_more.wait_for(lambda: written >= goal, 60)

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            yield wait
            wait()
        finally:
            ended.set()
        writer.result()


def duplicates(database: Database[Any]) -> list[Any]:
    grouped = {"$group": {"_id": "$a", "n": {"$sum": 1}}}
    return list(database.things.aggregate([grouped, {"$match": {"n": {"$gt": 1}}}]))


class TestTwoAtOnce:
    def test_names_that_are_swapped(self, matrix_database):
        things = matrix_database.things
        things.create_index("a", name="one", unique=True)
        things.create_index("b", name="two", unique=True)
        wanted = (
            IndexSpec(name="two", keys=(("a", 1),), options={"unique": True}),
            IndexSpec(name="one", keys=(("b", 1),), options={"unique": True}),
        )
        plan = plan_for(matrix_database, *wanted)
        for operation in plan.operations:
            run_operation(matrix_database, operation, stop=threading.Event())
            assert refuses(things, ({"a": 1, "b": 1}, {"a": 1, "b": 2})), operation
            assert refuses(things, ({"a": 1, "b": 1}, {"a": 2, "b": 1})), operation
        assert plan_for(matrix_database, *wanted).in_sync

    def test_a_name_that_another_index_has(self, matrix_database):
        """The new unique index waits for its name, which its predecessor does not have."""
        things = matrix_database.things
        things.create_index("c", name="wanted")
        things.create_index("a", name="other", unique=True)
        wanted = (
            IndexSpec(name="wanted", keys=(("a", 1), ("b", 1)), options={"unique": True}),
            IndexSpec(name="other", keys=(("b", 1),)),
        )
        for operation in plan_for(matrix_database, *wanted).operations:
            run_operation(matrix_database, operation, stop=threading.Event())
            pair = ({"a": 1, "b": 1}, {"a": 1, "b": 1})
            assert refuses(things, pair), operation
        assert plan_for(matrix_database, *wanted).in_sync

    def test_keys_that_are_taken(self, matrix_database):
        """An index of someone else has the keys that a shadow would have."""
        things = matrix_database.things
        things.create_index("a", name="old", unique=True)
        things.create_index([("a", 2)], name="by_hand")
        plan = plan_for(matrix_database, unique("new", "ascending"))
        for operation in plan.operations:
            run_operation(matrix_database, operation, stop=threading.Event())
            assert refuses(things, ({"a": 1}, {"a": 1})), operation
        assert set(things.index_information()) == {"_id_", "new", "by_hand"}


class TestWhatTheDocumentsForbid:
    def test_fails_before_anything_is_dropped(self, matrix_database):
        things = matrix_database.things
        create(things, unique("old", "sparse"))
        things.insert_many([{}, {}])
        sentence = "documents share a key of the unique index old; make them distinct and run again"
        with pytest.raises(OperationRefused, match=sentence) as raised:
            apply(matrix_database, plan_for(matrix_database, unique("old", "ascending")))
        assert set(things.index_information()) == {"_id_", "old"}
        assert raised.value.duplicates[0].documents == 2


class TestGivenUp:
    """Values that need not be unique any more, and those that the server cannot keep unique."""

    def test_no_longer_unique(self, matrix_database):
        matrix_database.things.create_index("a", name="old", unique=True)
        plan = plan_for(matrix_database, IndexSpec(name="old", keys=(("a", 1),)))
        (change,) = plan.changes
        assert change.risk is Risk.DESTROYS
        assert change.words == (
            "index old {a: 1}: no longer unique; duplicates are possible from then on"
        )
        apply(matrix_database, plan)
        assert "unique" not in matrix_database.things.index_information()["old"]

    def test_a_kind_of_which_there_is_one_at_most(self, matrix_database):
        matrix_database.things.create_index([("p", "2dsphere")], name="old", unique=True)
        spec = IndexSpec(name="new", keys=(("p", "2dsphere"),), options={"unique": True})
        (change,) = plan_for(matrix_database, spec).changes
        assert change.risk is Risk.DESTROYS
        assert change.words == (
            "index new {p: 2dsphere}: renamed from old; duplicates are possible during the "
            "rebuild, because the server allows only one index of its kind"
        )


class TestLeftShadow:
    """A run was interrupted after it dropped the old index, and left its shadow index."""

    @pytest.fixture
    def left(self, matrix_database):
        create(matrix_database.things, unique("old", "ascending"))
        plan = plan_for(matrix_database, unique("new", "ascending"))
        for operation in plan.operations[:2]:
            run_operation(matrix_database, operation, stop=threading.Event())
        (name,) = set(matrix_database.things.index_information()) - {"_id_"}
        assert name.startswith(SHADOW_PREFIX)
        return matrix_database

    def test_is_kept_until_the_new_one_is_there(self, left):
        for operation in plan_for(left, unique("new", "ascending")).operations:
            run_operation(left, operation, stop=threading.Event())
            assert refuses(left.things, ({"a": 1}, {"a": 1}))
        assert set(left.things.index_information()) == {"_id_", "new"}

    def test_is_kept_where_the_models_have_changed_since(self, left):
        """It is the last index that keeps the values unique; a user who wants to drop it must name
        it."""
        (change,) = plan_for(left).changes
        assert change.risk is Risk.DESTROYS
        assert change.words.endswith(
            ": left by an interrupted run, and no model declares its keys unique"
        )

    def test_stands_beside_the_next_one(self, left):
        """The next one has the same name and another definition."""
        create(left.things, unique("new", "sparse"))
        plan = plan_for(left, unique("new", "compound"))
        for operation in plan.operations:
            run_operation(left, operation, stop=threading.Event())
            assert refuses(left.things, ({"a": 1, "b": 1}, {"a": 1, "b": 1}))
        assert set(left.things.index_information()) == {"_id_", "new"}


def _destroys_nothing(plan: Plan) -> None:
    drops = [step for step in plan.operations if isinstance(step, DropIndex)]
    assert all(step.risk is not Risk.DESTROYS for step in drops), plan
