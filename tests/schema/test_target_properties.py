"""Random declarations, migrated by the backend: nothing is left to do."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import models
from django.db.models import Q
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import ArrayField
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from djongo_services.indexes import (
    GeoIndex,
    HashedIndex,
    MongoIndex,
    SparseIndex,
    TextIndex,
    TTLIndex,
    UniqueIndex,
    WildcardIndex,
)
from djongo_services.introspection import read_catalog
from djongo_services.schema.diff import ValidationPolicy, diff
from djongo_services.schema.target import collection_spec
from tests.mongodb_orm import connections as databases

KINDS = ("mongo", "unique", "ttl", "geo", "hashed", "wild", "below", "sparse", "django")
FIELDS = ("name", "number", "price", "day", "moment", "data.a", "data.b.c")
columns = st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True)
directed = columns.flatmap(
    lambda names: st.tuples(*(st.sampled_from([n, f"-{n}"]) for n in names)).map(list)
)
conditions = st.sampled_from(
    [
        Q(number__gt=5),
        Q(name="x", number__lte=3),
        Q(price__gte="1.50"),
        Q(day__lt="2024-02-29"),
        Q(name__isnull=False),
        Q(number__in=[1, 2]),
        Q(Q(number=1) | Q(name="x")),
        Q(number__range=(1, 5)) & Q(number__gt=2),
    ]
)
collations = st.sampled_from([{"locale": "en", "strength": 2}, {"locale": "da"}, {"locale": "th"}])


@st.composite
def options(draw: st.DrawFn, name: str) -> dict[str, Any]:
    chosen: dict[str, Any] = {"name": name, "hidden": draw(st.booleans())}
    if draw(st.booleans()):
        chosen["condition"] = draw(conditions)
    if draw(st.booleans()):
        chosen["collation"] = draw(collations)
    return chosen


@st.composite
def index(draw: st.DrawFn, name: str) -> models.Index:
    plain = draw(options(name))
    match draw(st.sampled_from(KINDS)):
        case "mongo":
            return MongoIndex(fields=draw(directed), **plain)
        case "unique":
            return UniqueIndex(fields=draw(columns)[:1], nulls_distinct=False, **plain)
        case "ttl":
            field = draw(st.sampled_from(["day", "-moment", "data.a"]))
            return TTLIndex(fields=[field], expire_after=draw(st.integers(0, 10**9)), **plain)
        case "geo":
            return GeoIndex(fields=["data.place", *draw(directed)], **plain)
        case "hashed":
            return HashedIndex(fields=[draw(st.sampled_from(FIELDS)), "extra"], **plain)
        case "wild":
            taken = dict.fromkeys(draw(columns), draw(st.booleans()))
            return WildcardIndex(projection=taken if "data.a" not in taken else None, **plain)
        case "below":
            return WildcardIndex(fields=["data"], **plain)
        case "sparse":
            plain.pop("condition", None)
            return SparseIndex(fields=draw(directed), unique=draw(st.booleans()), **plain)
    given_ = {key: value for key, value in plain.items() if key in ("name", "condition")}
    simple_conditions = [Q(number__gt=5), Q(name="x"), Q(price__lte="3.25")]
    if "condition" in given_:
        given_["condition"] = draw(st.sampled_from(simple_conditions))
    return models.Index(fields=[f for f in draw(directed) if "." not in f] or ["name"], **given_)


@st.composite
def declared(draw: st.DrawFn) -> list[models.Index]:
    """Indexes that a collection can have together: one for each list of keys."""
    found: dict[Any, models.Index] = {}
    for number in range(draw(st.integers(1, 5))):
        made = draw(index(f"index_{number}"))
        found.setdefault((type(made), tuple(made.fields)), made)
    if draw(st.booleans()):
        weights = draw(st.dictionaries(st.sampled_from(["name", "data.a"]), st.integers(1, 99)))
        found["text"] = TextIndex(fields=["name", "data.a"], weights=weights, name="text")
    seen: dict[Any, models.Index] = {}
    for made in found.values():
        # The same keys twice is legal for some options only.
        keys = frozenset(field.lstrip("-") for field in made.fields) or "all"
        seen.setdefault((isinstance(made, TextIndex), keys), made)
    return list(seen.values())


@st.composite
def plain_fields(draw: st.DrawFn) -> dict[str, Any]:
    return draw(st.sampled_from([{}, {"unique": True}, {"db_index": True}]))


@pytest.mark.django_db
@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(indexes=declared(), first=plain_fields(), second=plain_fields())
def test_what_migrate_creates_is_what_is_wanted(indexes, first, second):
    backend = databases["default"]
    with isolate_apps("tests.schema.apps.target"):

        class Thing(models.Model):
            name = models.CharField(max_length=9)
            number = models.IntegerField(null=True)
            price = models.DecimalField(max_digits=6, decimal_places=2)
            day = models.DateField(null=True)
            moment = models.DateTimeField(null=True)
            data = models.JSONField(null=True)
            extra = models.IntegerField(null=True, **first)
            more = models.SlugField(**{"db_index": False, **second})
            tags = ArrayField(models.IntegerField(db_index=False), null=True, **second)

            class Meta:
                app_label = "target"
                db_table = f"thing_{uuid.uuid4().hex[:8]}"

        Thing._meta.indexes = [made.clone() for made in indexes]
    try:
        with backend.schema_editor() as editor:
            editor.create_model(Thing)
        spec = collection_spec([Thing], backend=backend)
        assert len(spec.indexes) == len(read_catalog(backend.database)[spec.name].indexes) - 1
        plan = diff(
            read_catalog(backend.database), (spec,), validation=ValidationPolicy(level="off")
        )
        assert plan.in_sync, [change.words for change in plan.changes]
        # Some of what was drawn is redundant, and is told; nothing is undeclared.
        assert not [note for note in plan.notes if "no model declares it" in note.words]
        assert plan.problems == ()
    finally:
        backend.database.drop_collection(Thing._meta.db_table)
