"""A report built by hand that contains one of everything that renderers show."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bson import Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from djongo_services.abilities import Abilities
from djongo_services.introspection.catalog import (
    Collection,
    Index,
    IndexBuild,
    IndexUsage,
    Statistics,
    Unavailable,
    Validator,
)
from djongo_services.introspection.path import ELEMENT, KEY, Path
from djongo_services.introspection.report import (
    ArrayLengths,
    CollectionReport,
    Coverage,
    Field,
    Finding,
    MapKeys,
    Profile,
    Reference,
    Report,
    TypeCount,
    ValueSummary,
)

_KNOWN: dict[str, Any] = {
    "version": "6.0.27",
    "feature_compatibility": "6.0",
    "topology": "replica set",
    "set_name": "rs0",
    "members": ("db1:27017",),
    "read_only": False,
}
SERVER = Abilities(**({ability.name: True for ability in fields(Abilities)} | _KNOWN))

HOSTILE = (
    'x"); import os #',
    "new\nline",
    'it\'s "quoted"',
    "{{ 7|add:7 }}{% now %}",
    "<script>alert(1)</script>",
    "</style></script><img src=x onerror=alert(1)>",
    "\x1b[2J\x1b]0;owned\x07",
    "[bold red]rich[/]",
    "`--> %%{init: {}}%% erDiagram",
    "\u202etxt.exe",
    "__class__",
    "%",
    "é中文🙂",
)


def field(path: Path, parents: int, children: tuple[Field, ...] = (), **types: int) -> Field:
    return Field(
        path=path,
        parents=parents,
        types={
            name.replace("__", ":"): TypeCount(count=count, probability=count / parents)
            for name, count in types.items()
        },
        children=children,
    )


def coverage(**changes: Any) -> Coverage:
    values: dict[str, Any] = {
        "requested": "sample",
        "reached": "sample",
        "documents": 200_000,
        "examined": 1000,
        "margin": 0.0309,
        "seconds": 0.25,
    }
    return Coverage(**(values | changes))


def index(name: str, key: dict[str, Any], **options: Any) -> Index:
    known = ("multikey", "size", "usage", "build")
    facts = {option: options.pop(option) for option in known if option in options}
    return Index(
        name=name,
        keys=tuple(key.items()),
        definition={"v": 2, "key": key, "name": name, **options},
        **facts,
    )


def hostile_report(name: str) -> Report:
    """``name`` everywhere that a database can put one."""
    profile = Profile(
        collection=name,
        fields=(
            Field(
                path=(name,),
                parents=10,
                types={"string": TypeCount(count=10, probability=1.0)},
                values=ValueSummary(enum=((name, 9), (name + "2", 1)), distinct=2),
            ),
        ),
        coverage=coverage(documents=10, examined=10, margin=None, stopped=name),
    )
    report = CollectionReport(
        collection=Collection(
            name=name,
            options={"comment": name},
            validator=Validator(query={name: {"$exists": True}}),
            indexes=(index(name, {name: 1}, partialFilterExpression={name: 1}),),
            unavailable=(Unavailable(what=name, reason=name),),
        ),
        profile=profile,
        references=(Reference(path=(name,), target=name, target_path=name, checked=3, found=2),),
        warnings=(Finding(code="mixed-types", message=name, path=name, examples=(name,)),),
    )
    return Report(server=SERVER, database=name, collections=(report,), stopped=name)


def _people() -> CollectionReport:
    city = field(("address", "city"), 700, string=700)
    usage = (
        IndexUsage(host="db1:27017", operations=1234, since=datetime(2026, 5, 3, tzinfo=UTC)),
        IndexUsage(host="db2:27017", operations=0, since=datetime(2026, 6, 1, tzinfo=UTC)),
    )
    return CollectionReport(
        collection=Collection(
            name="people",
            uuid=UUID("6f1e7a30-6d0c-4f6e-9d0e-0a2f6f0f8f01"),
            validator=Validator(
                query={"$jsonSchema": {"bsonType": "object", "required": ["name"]}},
                level="moderate",
            ),
            indexes=(
                index("_id_", {"_id": 1}, size=4096, usage=usage),
                index("email_1", {"email": 1}, unique=True, size=20480, usage=()),
                index("bio_text", {"bio": "text"}, usage=None, build=IndexBuild(done=3, total=4)),
            ),
            statistics=Statistics(count=1234, size=1_200_000, storage_size=400_000, index_size=999),
        ),
        profile=Profile(
            collection="people",
            fields=(
                field(("_id",), 1234, objectId=1234),
                field(("name",), 1234, string=1234),
                field(("email",), 1234, string=1200, null=30),
                field(("address",), 1234, (city,), object=700),
            ),
            coverage=coverage(
                requested="exact", reached="exact", documents=1234, margin=None, proven=True
            ),
        ),
    )


def _notes() -> CollectionReport:
    by_day = field(("by_day", KEY), 3500, int=3500)
    tags = Field(
        path=("tags",),
        parents=1000,
        types={"array": TypeCount(count=600, probability=0.6)},
        lengths=ArrayLengths(minimum=0, maximum=12, mean=3.1, histogram={0: 10, 1: 90, 2: 500}),
        children=(field(("tags", ELEMENT), 1860, string=1860),),
    )
    found = (
        field(("_id",), 1000, objectId=1000),
        Field(
            path=("year",),
            parents=1000,
            types={
                "int": TypeCount(count=750, probability=0.75),
                "string": TypeCount(count=230, probability=0.23),
            },
            values=ValueSummary(minimum=1900, maximum=2024, distinct=90),
        ),
        Field(
            path=("status",),
            parents=1000,
            types={"string": TypeCount(count=1000, probability=1.0)},
            values=ValueSummary(enum=(("open", 600), ("closed", 400)), distinct=2),
        ),
        tags,
        Field(
            path=("by_day",),
            parents=1000,
            types={"object": TypeCount(count=1000, probability=1.0)},
            map=MapKeys(format="date", distinct=350),
            children=(by_day,),
        ),
        field(("author_id",), 1000, objectId=995),
        Field(
            path=("written",),
            parents=1000,
            types={"date": TypeCount(count=1000, probability=1.0)},
            values=ValueSummary(
                minimum=datetime(1950, 1, 1, tzinfo=UTC), maximum=DatetimeMS(2**60), distinct=800
            ),
        ),
        field(("a.b",), 1000, binData__uuid=2),
    )
    return CollectionReport(
        collection=Collection(
            name="notes",
            options={"capped": True, "size": Int64(1_000_000), "max": 300_000},
            indexes=(
                index("_id_", {"_id": 1}),
                index(
                    "author_id_1_written_-1",
                    {"author_id": 1, "written": -1},
                    partialFilterExpression={"status": "open"},
                    expireAfterSeconds=3600,
                    collation={"locale": "de"},
                    sparse=True,
                    multikey=True,
                ),
            ),
            statistics=Statistics(
                count=200_000, size=169_800_000, storage_size=5 * 10**7, index_size=2 * 10**6
            ),
        ),
        profile=Profile(collection="notes", fields=found, coverage=coverage()),
        references=(
            Reference(path=("author_id",), target="people", checked=200, found=199),
            Reference(path=("tags", ELEMENT), target="tag names", many=True, checked=5, found=5),
        ),
        warnings=(
            Finding(
                code="mixed-types",
                message="The field year holds int (75 %) and string (23 %).",
                path="year",
                count=230,
                examples=(ObjectId("64b7f0a1c2d3e4f5a6b7c8d9"),),
            ),
        ),
    )


def _broken_view() -> CollectionReport:
    return CollectionReport(
        collection=Collection(
            name="recent notes",
            type="view",
            options={"viewOn": "gone", "pipeline": [{"$match": {"year": {"$gt": 2000}}}]},
            unavailable=(Unavailable(what="statistics", reason="a view has none"),),
        ),
        warnings=(Finding(code="unreadable", message="The view reads gone, which is missing."),),
    )


EXAMPLE = Report(
    server=SERVER, database="archive", collections=(_notes(), _people(), _broken_view())
)
EMPTY = Report(server=SERVER, database="nothing", collections=())
