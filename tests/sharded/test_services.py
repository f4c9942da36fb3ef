"""Each service on a sharded cluster, as far as a client can see that it is one."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from pymongo.database import Database

from djongo_services.abilities import read_abilities
from djongo_services.connections import connections
from djongo_services.introspection import inspect_database, read_catalog
from djongo_services.schema.applying import History, apply
from djongo_services.schema.spec import CollectionSpec, IndexSpec
from djongo_services.schema.syncing import make_plan
from djongo_services.schema.undoing import plan_rollback
from djongo_services.storage import GridFSStorage
from djongo_services.storage.bucket import Bucket
from djongo_services.transaction import atomic, on_commit, run_in_transaction
from tests.conftest import runner
from tests.engine.helpers import failing
from tests.sharded.conftest import Sharded
from tests.transaction.conftest import committed

Mongo = Database[dict[str, Any]]


class Boom(Exception):
    pass


def test_abilities(mongo: Mongo) -> None:
    found = read_abilities(mongo.client)
    assert (found.topology, found.set_name, found.read_only) == ("sharded", None, False)
    assert found.transactions
    assert found.snapshot_reads


class TestInspection:
    def test_a_database(self, mongo: Mongo, outside: Mongo) -> None:
        outside.authors.insert_many([{"name": f"author {n}"} for n in range(20)])
        report = inspect_database(mongo)
        assert (report.server.topology, report.stopped) == ("sharded", None)
        profile = report["authors"].profile
        assert profile is not None
        assert profile["name"].types["string"].count == 20

    @pytest.mark.parametrize("depth", ["sample", "complete", "exact"])
    def test_the_command(self, mongo: Mongo, outside: Mongo, depth: str) -> None:
        outside.authors.insert_many([{"name": f"author {n}"} for n in range(20)])
        said = io.StringIO()
        call_command("inspectmongo", "authors", depth=depth, stdout=said)
        assert "authors" in said.getvalue()


class TestSchema:
    SPECS = (
        CollectionSpec(
            name="notes",
            models=("app.Note",),
            validator={"$jsonSchema": {"bsonType": "object", "required": ["n"]}},
            rules="database",
            indexes=(IndexSpec(name="by_n", keys=(("n", 1),), options={"unique": True}),),
        ),
    )

    def test_plan_apply_and_roll_back(self, mongo: Mongo, outside: Mongo) -> None:
        outside.notes.insert_many([{"n": n} for n in range(50)])
        plan = make_plan(mongo, self.SPECS)
        run = apply(mongo, plan)
        assert make_plan(mongo, self.SPECS).in_sync
        assert "by_n" in outside.notes.index_information()
        assert [each.status for each in History(mongo).runs()] == ["done"]
        undo = plan_rollback(mongo, run)
        apply(mongo, undo.plan, rolls_back=undo.runs)
        (notes,) = (one for one in read_catalog(outside).collections if one.name == "notes")
        assert notes.validator is None
        assert [one.name for one in notes.indexes] == ["_id_"]


class TestFiles:
    def test_written_read_and_deleted(self, mongo: Mongo, outside: Mongo) -> None:
        storage = GridFSStorage()
        data = bytes(range(256)) * 3_000
        name = storage.save("a.bin", ContentFile(data))
        with storage.open(name) as file:
            assert file.read() == data
            file.seek(500_000)
            assert file.read(100) == data[500_000:500_100]
        storage.delete(name)
        assert outside["fs.files"].count_documents({}) == 0

    def test_atomic_with_the_documents(self, mongo: Mongo, outside: Mongo) -> None:
        storage = GridFSStorage()
        with failing(Boom), atomic():
            storage.save("a.txt", ContentFile(b"text"))
            mongo.notes.insert_one({"file": "a.txt"})
            raise Boom
        assert not storage.exists("a.txt")
        with atomic():
            name = storage.save("a.txt", ContentFile(b"text"))
            mongo.notes.insert_one({"file": name})
        assert storage.exists("a.txt")
        assert outside.notes.count_documents({}) == 1

    def test_the_collector(self, mongo: Mongo, outside: Mongo) -> None:
        bucket = Bucket(mongo, "fs")
        kept, left = bucket.upload("kept.txt", b"kept"), bucket.upload("left.txt", b"left")
        outside["fs.chunks"].delete_many({"files_id": left.id})
        said = io.StringIO()
        call_command("gridfs_gc", "--older-than", "0s", "--dry-run", stdout=said)
        assert "left.txt" in said.getvalue()
        assert outside["fs.files"].count_documents({"_id": kept.id}) == 1


class TestTransactions:
    def test_committed_on_one_router(self, mongo: Mongo, outside: Mongo, sharded: Sharded) -> None:
        ran: list[str] = []
        with atomic():
            for number in range(5):
                mongo.notes.insert_one({"_id": number})
            assert committed(outside.notes) == 0
            on_commit(lambda: ran.append("committed"))
        assert ran == ["committed"]
        assert outside.notes.count_documents({}) == 5
        assert len(set(sharded.routers_of("insert"))) == 1

    def test_rolled_back(self, mongo: Mongo, outside: Mongo) -> None:
        outside.notes.insert_one({"_id": 0})
        with failing(Boom), atomic():
            mongo.notes.delete_one({"_id": 0})
            raise Boom
        assert outside.notes.count_documents({}) == 1

    def test_a_router_that_dies_in_the_middle(
        self, mongo: Mongo, outside: Mongo, sharded: Sharded
    ) -> None:
        """The transaction is begun again, on the other one."""
        attempts: list[str] = []

        def work() -> None:
            mongo.notes.insert_one({"_id": len(attempts)})
            attempts.append(sharded.routers_of("insert")[-1])
            if len(attempts) == 1:
                next(each for each in sharded.routers if each.address == attempts[0]).stop()
            mongo.notes.insert_one({"_id": "second"})

        outside.create_collection("notes")
        run_in_transaction(work)
        assert len(set(attempts)) == 2
        assert sorted(map(str, outside.notes.distinct("_id"))) == ["1", "second"]


def test_what_is_configured_is_one_connection(mongo: Mongo, sharded: Sharded) -> None:
    assert len(connections["default"].database.client.nodes) <= 2
    mongo.command("ping")
    assert connections["default"].database.client.primary is None


ENGINE = """
import json
from django.core.management import call_command
from django.db import connection, transaction
from tests.engine.shop.models import Article, Note
call_command("migrate", verbosity=0, run_syncdb=True)
found = {}
class Boom(Exception):
    pass
with transaction.atomic():
    Article.objects.create(name="kept")
found["kept"] = Article.objects.count()
try:
    with transaction.atomic():
        Article.objects.create(name="rolled back")
        Note.objects.create(text="rolled back")
        raise Boom
except Boom:
    pass
found["after a rollback"] = [Article.objects.count(), Note.objects.count()]
for name, look in {"savepoint": lambda: None, "after a read": Note.objects.count}.items():
    try:
        with transaction.atomic():
            Note.objects.create(text=name)
            look()
            try:
                with transaction.atomic():
                    Note.objects.create(text="inner")
                    raise Boom
            except Boom:
                pass
        found[name] = "restored"
    except Exception as error:
        found[name] = str(error)
found["notes"] = sorted(Note.objects.values_list("text", flat=True))
with transaction.atomic():
    found["locked"] = Article.objects.select_for_update().get(name="kept").name
print(json.dumps(found))
"""


def test_the_engine(sharded: Sharded, outside: Mongo, mongodb_server: Any) -> None:
    """Reads before a savepoint cannot be repeated, so the whole block is refused with a message;
    writes alone can be repeated."""
    run = runner("tests.sharded.settings_engine", sharded.uri)
    done = run(code=ENGINE, env={"SHARDED_DATABASE": outside.name})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "nothing of it is saved" in found.pop("after a read")
    assert found == {
        "kept": 1,
        "after a rollback": [1, 0],
        "savepoint": "restored",
        "notes": ["savepoint"],
        "locked": "kept",
    }
