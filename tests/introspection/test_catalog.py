"""The results of ``read_catalog`` on each version of the server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from bson import Int64
from pymongo import ASCENDING, DESCENDING, MongoClient
from pymongo.database import Database

from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Collection, Index

pytestmark = pytest.mark.versions


Mongo = Database[dict[str, Any]]


def index_of(database: Mongo, keys: Any, **options: Any) -> Index:
    """The only index besides ``_id_`` of a new collection."""
    database["things"].create_index(keys, **options)
    (found,) = (index for index in indexes(database, "things") if not index.is_id)
    return found


def indexes(database: Mongo, name: str) -> tuple[Index, ...]:
    return read_catalog(database)[name].indexes


def release(database: Mongo) -> tuple[int, ...]:
    return tuple(database.client.server_info()["versionArray"][:2])


class TestIndexKinds:
    def test_id(self, matrix_database: Mongo) -> None:
        matrix_database.create_collection("things")
        (found,) = indexes(matrix_database, "things")
        assert found.keys == (("_id", 1),)
        assert found.definition == {"v": 2, "key": {"_id": 1}, "name": "_id_"}
        assert found.is_id
        assert found.unique
        assert found.multikey is False
        assert found.properties == ("unique",)

    def test_single(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, [("a", DESCENDING)])
        assert found.name == "a_-1"
        assert found.keys == (("a", -1),)
        assert found.type == "regular"
        assert found.properties == ()
        assert found.multikey is False
        assert found.build is None

    def test_compound_in_order(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, [("z", ASCENDING), ("a.b", DESCENDING)])
        assert found.keys == (("z", 1), ("a.b", -1))
        assert found.type == "compound"

    def test_numbers_of_any_type_are_directions(self, matrix_database: Mongo) -> None:
        # By the bare command, as the mongo shell does: PyMongo refuses doubles.
        key = {"a": 1.0, "b": Int64(-1), "c": 2.5}
        matrix_database.command("createIndexes", "things", indexes=[{"name": "x", "key": key}])
        found = indexes(matrix_database, "things")[1]
        assert found.keys == (("a", 1), ("b", -1), ("c", 2.5))
        assert [type(direction) for _, direction in found.keys] == [int, int, float]
        assert found.definition["key"] == {"a": 1.0, "b": -1, "c": 2.5}

    def test_multikey(self, matrix_database: Mongo) -> None:
        matrix_database["things"].insert_one({"a": [1, 2]})
        found = index_of(matrix_database, "a")
        assert found.multikey is True
        assert found.properties == ("multikey",)

    def test_text_fields_take_the_place_of_the_servers_own_keys(
        self, matrix_database: Mongo
    ) -> None:
        keys = [("before", 1), ("title", "text"), ("body.text", "text"), ("after", -1)]
        found = index_of(matrix_database, keys, weights={"title": 10}, default_language="german")
        assert found.keys == (
            ("before", 1),
            ("body.text", "text"),
            ("title", "text"),
            ("after", -1),
        )
        assert found.type == "text"
        assert found.weights == {"body.text": 1, "title": 10}
        assert found.definition["default_language"] == "german"
        assert list(found.definition["key"]) == ["before", "_fts", "_ftsx", "after"]

    def test_text_of_all_fields(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, [("$**", "text")])
        assert found.keys == (("$**", "text"),)
        assert found.type == "text"

    @pytest.mark.parametrize("kind", ["2dsphere", "2d", "hashed"])
    def test_special(self, matrix_database: Mongo, kind: str) -> None:
        found = index_of(matrix_database, [("a", kind)])
        assert found.keys == (("a", kind),)
        assert found.type == kind
        assert found.multikey is False

    def test_wildcard(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, "$**", wildcardProjection={"secret": 0})
        assert found.keys == (("$**", 1),)
        assert found.type == "wildcard"
        assert found.wildcard_projection is not None
        # MongoDB 5.0 writes down that _id is left out as well.
        assert found.wildcard_projection["secret"] == 0

    def test_wildcard_below_a_path(self, matrix_database: Mongo) -> None:
        assert index_of(matrix_database, "attributes.$**").type == "wildcard"

    def test_ttl(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, "at", expireAfterSeconds=3600)
        assert found.expire_after_seconds == 3600
        assert found.properties == ("TTL",)

    def test_sparse_and_unique(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, "a", unique=True, sparse=True)
        assert found.properties == ("unique", "sparse")

    def test_partial(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, "a", partialFilterExpression={"b": {"$gt": 5}})
        assert found.partial_filter == {"b": {"$gt": 5}}
        assert found.properties == ("partial",)
        assert found.multikey is False

    def test_hidden(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, "a", hidden=True)
        assert found.hidden
        assert found.properties == ("hidden",)

    def test_collation(self, matrix_database: Mongo) -> None:
        found = index_of(matrix_database, "a", collation={"locale": "de", "strength": 2})
        assert found.collation is not None
        assert found.collation["locale"] == "de"
        assert found.collation["strength"] == 2
        assert found.properties == ("collation",)

    def test_prepare_unique(self, database: Mongo) -> None:
        database["things"].create_index("a")
        database.command("collMod", "things", index={"name": "a_1", "prepareUnique": True})
        found = indexes(database, "things")[1]
        assert found.prepare_unique
        assert not found.unique
        assert found.properties == ("prepareUnique",)

    def test_clustered(self, database: Mongo) -> None:
        options = {"key": {"_id": 1}, "unique": True, "name": "by id"}
        database.create_collection("things", clusteredIndex=options)
        database["things"].create_index("a")
        collection = read_catalog(database)["things"]
        clustered, plain = collection.indexes
        assert collection.clustered
        assert (clustered.name, clustered.type, clustered.keys) == (
            "by id",
            "clustered",
            (("_id", 1),),
        )
        assert clustered.unique
        assert clustered.multikey is False
        assert clustered.size is None
        assert clustered.usage == ()
        assert plain.type == "regular"

    def test_multikey_is_told_of_every_kind_since_6_0(self, database: Mongo) -> None:
        database["things"].insert_one({"a": [1, 2]})
        found = index_of(database, "a", hidden=True)
        assert found.multikey is True

    def test_the_planner_cannot_tell_of_hidden_ones(self, matrix_database: Mongo) -> None:
        if release(matrix_database) >= (6, 0):
            expected: bool | None = False
        else:
            expected = None
        assert index_of(matrix_database, "a", hidden=True).multikey is expected

    def test_multikey_may_be_left_out(self, matrix_database: Mongo) -> None:
        matrix_database["things"].create_index("a")
        catalog = read_catalog(matrix_database, multikey=False)
        assert [index.multikey for index in catalog["things"].indexes] == [None, None]


class TestCollections:
    def test_empty_database(self, matrix_database: Mongo) -> None:
        catalog = read_catalog(matrix_database)
        assert catalog.database == matrix_database.name
        assert catalog.collections == ()
        assert catalog.system_collections == ()
        assert catalog.unavailable == ()

    def test_sorted_and_looked_up_by_name(self, matrix_database: Mongo) -> None:
        for name in ("b", "a", "C"):
            matrix_database.create_collection(name)
        catalog = read_catalog(matrix_database)
        assert [found.name for found in catalog.collections] == ["C", "a", "b"]
        assert catalog["a"].type == "collection"
        with pytest.raises(KeyError, match="missing"):
            catalog["missing"]

    def test_only_those_named(self, matrix_database: Mongo) -> None:
        for name in ("a", "b", "c"):
            matrix_database.create_collection(name)
        catalog = read_catalog(matrix_database, names=["c", "a", "missing"])
        assert [found.name for found in catalog.collections] == ["a", "c"]
        assert read_catalog(matrix_database, names=[]).collections == ()

    @pytest.mark.parametrize(
        "name",
        [
            "with space",
            "dots..in.it",
            "ends.",
            'quote"',
            "new\nline",
            "tab\t",
            "ümlaut 日本",
            "{{x}}",
        ],
    )
    def test_legal_names(self, matrix_database: Mongo, name: str) -> None:
        matrix_database.command("create", name)
        matrix_database.command("create", "other")
        found = read_catalog(matrix_database)[name]
        assert [index.name for index in found.indexes] == ["_id_"]
        assert found.statistics is not None
        assert found.indexes[0].usage is not None
        assert found.unavailable == ()

    def test_options_are_kept(self, matrix_database: Mongo) -> None:
        collation = {"locale": "fr"}
        matrix_database.create_collection(
            "log", capped=True, size=4096, max=10, collation=collation
        )
        found = read_catalog(matrix_database)["log"]
        assert found.capped
        assert found.options["size"] == 4096
        assert found.options["max"] == 10
        assert found.options["collation"]["locale"] == "fr"
        assert isinstance(found.uuid, UUID)
        assert found.validator is None

    def test_validator(self, matrix_database: Mongo) -> None:
        query = {"$jsonSchema": {"bsonType": "object", "required": ["a"]}, "b": {"$gt": 1}}
        matrix_database.create_collection(
            "things", validator=query, validationLevel="moderate", validationAction="warn"
        )
        found = read_catalog(matrix_database)["things"]
        assert found.validator is not None
        assert found.validator.query == query
        assert found.validator.json_schema == {"bsonType": "object", "required": ["a"]}
        assert (found.validator.level, found.validator.action) == ("moderate", "warn")
        assert found.options == {}

    def test_a_validator_enforces_unless_it_says_otherwise(self, matrix_database: Mongo) -> None:
        matrix_database.create_collection("things", validator={"a": {"$exists": True}})
        found = read_catalog(matrix_database)["things"].validator
        assert found is not None
        assert (found.level, found.action) == ("strict", "error")
        assert found.json_schema is None

    def test_a_removed_validator_is_none(self, matrix_database: Mongo) -> None:
        matrix_database.create_collection("things", validator={"a": 1})
        matrix_database.command("collMod", "things", validator={})
        found = read_catalog(matrix_database)["things"]
        assert found.validator is None
        assert found.options == {}

    def test_view(self, matrix_database: Mongo) -> None:
        matrix_database["things"].create_index("a")
        pipeline = [{"$match": {"a": 1}}]
        matrix_database.create_collection("some", viewOn="things", pipeline=pipeline)
        matrix_database.create_collection("broken", viewOn="missing", pipeline=[])
        catalog = read_catalog(matrix_database)
        found = catalog["some"]
        assert found == Collection(
            name="some", type="view", options={"viewOn": "things", "pipeline": pipeline}
        )
        assert found.view_on == "things"
        assert catalog["broken"].unavailable == ()
        assert [one.name for one in catalog.system_collections] == ["system.views"]

    def test_time_series(self, matrix_database: Mongo) -> None:
        if release(matrix_database) < (5, 0):
            assert not read_catalog(matrix_database).server.time_series
            return
        matrix_database.create_collection(
            "weather", timeseries={"timeField": "at", "metaField": "place"}
        )
        matrix_database["weather"].create_index([("place.city", 1), ("at", -1)], name="by city")
        matrix_database["weather"].insert_one({"at": datetime.now(UTC), "place": {"city": "x"}})
        catalog = read_catalog(matrix_database, names=["weather"])
        (weather,) = catalog.collections
        assert weather.type == "timeseries"
        assert weather.options["timeseries"]["metaField"] == "place"
        by_city = next(index for index in weather.indexes if index.name == "by city")
        assert by_city.keys == (("place.city", 1), ("at", -1))
        assert by_city.size is not None
        assert by_city.usage is not None
        assert by_city.multikey is False
        assert weather.statistics is not None
        assert weather.statistics.count is None
        assert weather.statistics.size > 0
        assert weather.unavailable == ()
        (buckets,) = catalog.system_collections
        assert buckets.name == "system.buckets.weather"
        assert buckets.statistics is not None
        assert buckets.statistics.count == 1

    def test_an_option_beyond_python_does_not_hide_the_rest(self, matrix_database: Mongo) -> None:
        from bson.datetime_ms import DatetimeMS

        far = DatetimeMS(2**60)
        index = index_of(matrix_database, "a", partialFilterExpression={"at": {"$lt": far}})
        assert index.partial_filter == {"at": {"$lt": far}}


class TestNumbers:
    def test_statistics(self, matrix_database: Mongo) -> None:
        matrix_database["things"].insert_many(
            [{"_id": number, "a": "x" * 10} for number in range(3)]
        )
        matrix_database["things"].create_index("a")
        found = read_catalog(matrix_database)["things"]
        assert found.statistics is not None
        assert found.statistics.count == 3
        # 4 length, _id: 1+4+4, a: 1+2+4+11, 1 end
        assert found.statistics.size == 3 * 32
        assert found.statistics.average_size == 32
        assert found.statistics.storage_size > 0
        sizes = [index.size for index in found.indexes]
        assert all(sizes)
        assert sum(size or 0 for size in sizes) == found.statistics.index_size

    def test_statistics_may_be_left_out(self, matrix_database: Mongo) -> None:
        matrix_database.create_collection("things")
        found = read_catalog(matrix_database, statistics=False)["things"]
        assert found.statistics is None
        assert found.indexes[0].size is None
        assert found.unavailable == ()

    def test_usage_with_its_start(self, matrix_database: Mongo) -> None:
        before = datetime.now(UTC)
        things = matrix_database["things"]
        things.insert_one({"a": 1})
        things.create_index("a")
        for _ in range(3):
            things.find_one({"a": 1}, hint="a_1")
        _, found = indexes(matrix_database, "things")
        assert found.usage is not None
        (usage,) = found.usage
        assert usage.operations == 3
        # The server cuts to milliseconds.
        assert (
            before.timestamp() - 0.001 <= usage.since.timestamp() <= datetime.now(UTC).timestamp()
        )
        assert usage.host == matrix_database.command("serverStatus")["host"]

    def test_usage_may_be_left_out(self, matrix_database: Mongo) -> None:
        matrix_database.create_collection("things")
        assert read_catalog(matrix_database, usage=False)["things"].indexes[0].usage is None

    def test_more_collections_than_one_batch(self, matrix_database: Mongo) -> None:
        names = [f"c{number:03d}" for number in range(60)]
        for number, name in enumerate(names):
            matrix_database[name].insert_many([{} for _ in range(number % 3 + 1)])
        catalog = read_catalog(matrix_database)
        assert [found.name for found in catalog.collections] == names
        counts = [found.statistics and found.statistics.count for found in catalog.collections]
        assert counts == [number % 3 + 1 for number in range(60)]
        assert all(found.indexes[0].usage for found in catalog.collections)

    def test_the_server_is_told_with_it(self, matrix_database: Mongo) -> None:
        server = read_catalog(matrix_database).server
        assert server.version == matrix_database.client.server_info()["version"]
        assert server.topology == "replica set"


class TestTransactions:
    def test_reads_outside_of_a_bound_transaction(self, database: Mongo) -> None:
        database["things"].insert_one({"a": 1})
        with database.client.start_session() as session, session.bind():
            session.start_transaction()
            database["things"].insert_one({"a": 2})
            catalog = read_catalog(database)
            session.abort_transaction()
        assert catalog["things"].statistics is not None
        assert catalog["things"].unavailable == ()

    def test_a_clients_own_document_class_does_not_matter(self, mongodb_server: Any) -> None:
        from bson.raw_bson import RawBSONDocument

        with MongoClient(mongodb_server.uri, document_class=RawBSONDocument) as client:
            database: Any = client["admin"]
            catalog = read_catalog(database)
        assert "system.version" in [found.name for found in catalog.system_collections]
