"""Conditions as validators, against SQL: the same rows in SQLite and in MongoDB."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Q, Value
from django.db.models import functions as f
from django.db.models.lookups import GreaterThan
from django.db.models.sql import InsertQuery, Query
from django.db.utils import ConnectionHandler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import BulkWriteError, WriteError

from djongo_services.schema.constraints import NotExpressible, check_queries, check_query
from djongo_services.schema.constraints.queries import NOTHING
from djongo_services.schema.mapping import to_document
from tests.mongodb_orm import connections
from tests.schema.apps.target.models import Specimen, Word

pytestmark = [pytest.mark.django_db, pytest.mark.versions]

VALUES: dict[str, list[Any]] = {
    "number": [None, 0, 1, 5, -3, 6],
    "other": [None, 0, 1, 2, 5, -3],
    "ratio": [None, 0.0, 0.5, 2.5, -1.5],
    "price": [None, Decimal("0.00"), Decimal("1.50"), Decimal("10.25"), Decimal("-2.00")],
    "flag": [None, True, False],
    "name": [None, "", "ab", "abc", "a.c", "cab", " a ", "a\n"],
    "nick": [None, "", "a", "ab", "c"],
    "day": [None, dt.date(2024, 2, 29), dt.date(2021, 1, 1), dt.date(2023, 12, 31)],
    "moment": [
        None,
        dt.datetime(2024, 2, 29, 23, 30, tzinfo=dt.UTC),
        dt.datetime(2021, 1, 1, 5, 0, 7, tzinfo=dt.UTC),
    ],
    "clock": [None, dt.time(0, 0), dt.time(12, 30, 1), dt.time(23, 59)],
    "span": [None, dt.timedelta(0), dt.timedelta(days=2), dt.timedelta(seconds=90)],
}


@pytest.fixture(scope="module")
def rows() -> list[Specimen]:
    """Each value of each column, with random values of the others."""
    chosen = random.Random(7)
    made = [Specimen()]
    for name, values in VALUES.items():
        for value in values:
            others = {other: chosen.choice(VALUES[other]) for other in VALUES}
            made += [Specimen(**{**others, name: value}) for _ in range(4)]
    for number, specimen in enumerate(made):
        specimen.id = number
    return made


@pytest.fixture(scope="module")
def sqlite(rows, django_db_blocker) -> Iterator[BaseDatabaseWrapper]:
    """A separate database with the rows."""
    engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    with django_db_blocker.unblock():
        connection = ConnectionHandler({"default": engine})["default"]
        with connection.schema_editor() as editor:
            editor.create_model(Specimen)
        insert = InsertQuery(Specimen)
        insert.insert_values(Specimen._meta.concrete_fields, rows)
        insert.get_compiler(connection=connection).execute_sql()
        yield connection
        connection.close()


@pytest.fixture
def accepted(rows, sqlite) -> Callable[[Any], set[int]]:
    """Asserts that both databases accept the same rows, and gives those."""
    Specimen.objects.bulk_create(rows)

    def compare(condition: Any) -> set[int]:
        found = accepted_by_mongodb(condition)
        assert found == accepted_by_sql(sqlite, condition), query_for(condition)
        return found

    return compare


def accepted_by_sql(connection: BaseDatabaseWrapper, condition: Any) -> set[int]:
    """The rows that a CHECK lets pass: those for which it is not FALSE."""
    query = Query(Specimen, alias_cols=False)
    where = query.build_where(condition)
    try:
        sql, parameters = query.get_compiler(connection=connection).compile(where)
    except EmptyResultSet:
        sql, parameters = "0", []
    except FullResultSet:
        sql, parameters = "1", []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT _id FROM target_specimen WHERE COALESCE(({sql}), 1)", parameters)
        return {key for (key,) in cursor.fetchall()}


def accepted_by_mongodb(condition: Any) -> set[int]:
    collection = connections["default"].database["target_specimen"]
    query = query_for(condition)
    return {document["_id"] for document in collection.find(query, {"_id": 1})}


def query_for(condition: Any, *, backend: bool = True) -> dict[str, Any]:
    constraint = models.CheckConstraint(condition=condition, name="c")
    return check_query(Specimen, constraint, backend=backend)


CONDITIONS = {
    "exact": Q(number=5),
    "exact none": Q(number=None),
    "negated": ~Q(number=5),
    "negated not null": ~Q(id=5),
    "comparison": Q(number__gte=1, other__lt=5),
    "range": Q(number__range=(0, 5)),
    "range of columns": Q(number__range=(F("other"), 5)),
    "not in range": ~Q(ratio__range=(0.0, 2.0)),
    "in": Q(name__in=["ab", "cab"]),
    "in with none": Q(number__in=[None, 5]),
    "in nothing": Q(number__in=[]),
    "not in nothing": ~Q(number__in=[]),
    "in columns": Q(number__in=[F("other"), 6]),
    "not in columns": ~Q(number__in=[F("other"), 6]),
    "isnull": Q(name__isnull=True) | Q(number__isnull=False),
    "itself": Q(number=F("number")),
    "contains": Q(name__contains="a.c"),
    "startswith": Q(name__startswith="ab"),
    "endswith": Q(name__endswith="a"),
    "iexact": Q(name__iexact="AB"),
    "icontains": Q(name__icontains="B"),
    "istartswith": ~Q(name__istartswith="A"),
    "iendswith": Q(name__iendswith="C"),
    "regex": Q(name__regex=r"^a.c\Z"),
    "iregex": Q(name__iregex=r"^A\w+$"),
    "column contains column": Q(name__contains=F("nick")),
    "column starts with column": Q(name__startswith=F("nick")),
    "column ends with column": Q(name__endswith=F("nick")),
    "column iexact column": Q(name__iexact=F("nick")),
    "number as text": Q(number__contains="5"),
    "number starts with": Q(number__startswith="-"),
    "F": Q(number__gt=F("other")),
    "not F": ~Q(number__gt=F("other")),
    "sum": Q(number__lte=F("other") + 3),
    "difference": Q(number=F("other") - 1),
    "product": Q(number__gt=F("other") * 2),
    "whole division": Q(other=F("number") / 2),
    "division by zero": Q(ratio__gt=F("number") / F("other")),
    "division": Q(ratio__lt=F("ratio") / 2),
    "modulo": Q(other=F("number") % 2),
    "decimal sum": Q(price__gt=F("price") * 2),
    "or": Q(number__gt=2) | Q(other__lt=0),
    "not or": ~(Q(number__gt=2) | Q(other__lt=0)),
    "not and": ~(Q(number__gt=2) & Q(other__lt=3)),
    "double negation": ~~Q(number__gt=2),
    "xor": Q(number__gt=2) ^ Q(other__lt=3),
    "xor of three": Q(number__gt=2) ^ Q(other__lt=3) ^ Q(flag=True),
    "xor of five": Q(number=1) ^ Q(other=1) ^ Q(flag=True) ^ Q(name="ab") ^ Q(ratio__gt=0),
    "not xor": ~(Q(number__gt=2) ^ Q(other__lt=3)),
    "boolean": Q(flag=True),
    "not boolean": ~Q(flag=True),
    "boolean expression": GreaterThan(F("number"), F("other")),
    "date": Q(day__gte=dt.date(2023, 1, 1)),
    "year": Q(day__year=2024),
    "year after": Q(day__year__gte=2023),
    "month": Q(day__month=2),
    "day": Q(day__day__lt=30),
    "week": Q(day__week=53) | Q(day__week=9),
    "week day": Q(day__week_day=1),
    "iso week day": Q(day__iso_week_day=5),
    "iso year": Q(day__iso_year=2020),
    "quarter": Q(day__quarter__in=[1, 2]),
    "hour": Q(moment__hour=23),
    "minute": Q(moment__minute__gt=0),
    "second": Q(moment__second=7),
    "moment's date": Q(moment__date=dt.date(2024, 2, 29)),
    "moment's time": Q(moment__time__gt=dt.time(6, 0)),
    "moment": Q(moment__lt=dt.datetime(2022, 1, 1, tzinfo=dt.UTC)),
    "clock": Q(clock__gt=dt.time(12, 0)),
    "clock hour": Q(clock__hour=12),
    "span": Q(span__gt=dt.timedelta(minutes=1)),
    "trunc": Q(moment__gte=f.TruncYear("moment")),
    "trunc date": Q(day=f.TruncMonth("day")),
    "lower": Q(name=f.Lower("name")),
    "upper": Q(nick__lt=f.Upper("name")),
    "length": Q(number__lt=f.Length("name")),
    "trim": Q(name=f.Trim("name")),
    "substr": Q(nick=f.Substr("name", 1, 2)),
    "left": Q(nick=f.Left("name", 1)),
    "right": Q(nick=f.Right("name", 1)),
    "replace": Q(name=f.Replace("name", Value("b"), Value("c"))),
    "index": Q(other=f.StrIndex("name", "nick")),
    "concat": Q(name__gt=f.Concat("nick", Value("b"))),
    "coalesce": Q(number__gt=f.Coalesce("other", Value(0))),
    "nullif": Q(number__gt=f.NullIf("other", Value(0))),
    "greatest": Q(number=f.Greatest("number", "other")),
    "least": Q(number__gt=f.Least("other", "number")),
    "abs": Q(other__lt=f.Abs("number")),
    "ceil": Q(other__lt=f.Ceil("ratio")),
    "floor": Q(number__gt=f.Floor("ratio")),
    "round": Q(number__gte=f.Round("ratio")),
    "sign": Q(number__gte=f.Sign("ratio")),
    "sqrt": Q(other__gte=f.Sqrt("number")),
    "power": Q(number__lt=f.Power("other", 2)),
    "mod": Q(other=f.Mod("number", 2)),
    "cast": Q(name__gt=f.Cast("number", models.CharField())),
    "cast to integer": Q(number__gte=f.Cast("ratio", models.IntegerField())),
    "case": Q(
        number__gt=models.Case(
            models.When(flag=True, then=Value(3)),
            models.When(flag=False, then=F("other")),
            default=Value(0),
        )
    ),
    "wrapped condition": Q(
        models.ExpressionWrapper(Q(number__gt=2) | Q(flag=True), models.BooleanField())
    ),
    "date plus span": Q(moment__gt=F("moment") - F("span")),
    "foreign key": Q(friend__isnull=True),
}


class TestTruthTable:
    @pytest.mark.parametrize("name", CONDITIONS)
    def test_mongodb_accepts_what_a_check_in_sql_accepts(self, accepted, name):
        accepted(CONDITIONS[name])
        accepted(~Q(CONDITIONS[name]))


def lookups() -> st.SearchStrategy[Q]:
    def of(column: str) -> st.SearchStrategy[Q]:
        value = st.sampled_from(VALUES[column][1:])
        compared = st.sampled_from(["exact", "gt", "gte", "lt", "lte"])
        found = [
            st.builds(lambda op, v: Q(**{f"{column}__{op}": v}), compared, value),
            st.builds(lambda v: Q(**{f"{column}__isnull": v}), st.booleans()),
            st.builds(lambda v: Q(**{f"{column}__in": v}), st.lists(value, max_size=3)),
        ]
        if column == "name":
            text = st.sampled_from(["", "a", "b", ".", "c"])
            ops = st.sampled_from(["contains", "startswith", "iendswith", "icontains"])
            found.append(st.builds(lambda op, v: Q(**{f"name__{op}": v}), ops, text))
        if column in ("number", "other"):
            found.append(st.builds(lambda op: Q(**{f"number__{op}": F("other")}), compared))
        return st.one_of(found)

    columns = ["number", "other", "ratio", "price", "flag", "name", "day", "span"]
    return st.sampled_from(columns).flatmap(of)


trees = st.recursive(
    lookups(),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a & b, inner, inner),
        st.builds(lambda a, b: a | b, inner, inner),
        st.builds(lambda a, b: a ^ b, inner, inner),
        st.builds(lambda a: ~a, inner),
    ),
    max_leaves=8,
)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(condition=trees)
def test_random_trees(accepted, condition):
    accepted(condition)


UNSAID_IN_PLAIN = {
    "moment's time": "the time of a moment cannot be compared with a time kept as text",
}


def test_documents_of_plain_projects_on_every_server(matrix_database, rows, sqlite):
    """Times, durations and keys as ``to_document`` writes them; validators judge, not queries."""
    documents = [to_document(row) for row in rows]
    matrix_database.rows.insert_many(documents)
    wrong = []
    for name, condition in CONDITIONS.items():
        if name in UNSAID_IN_PLAIN:
            with pytest.raises(NotExpressible, match=UNSAID_IN_PLAIN[name]):
                query_for(condition, backend=False)
            continue
        for tried in (condition, ~Q(condition)):
            query = query_for(tried, backend=False)
            found = {document["_id"] for document in matrix_database.rows.find(query, {"_id": 1})}
            if found != accepted_by_sql(sqlite, tried):
                wrong.append(name)
    assert wrong == []


def test_a_validator_refuses_what_the_query_does_not_find(matrix_database, rows, sqlite):
    condition = (
        Q(number__gt=F("other"))
        ^ Q(name__iregex=r"^\w+$")
        ^ (Q(day__week_day__in=[1, 7]) | Q(span__lt=F("span") + F("span")))
    )
    matrix_database.create_collection("rows", validator=query_for(condition, backend=False))
    inserted, codes = set(), set()
    for row in rows:
        try:
            matrix_database.rows.insert_one(to_document(row))
        except WriteError as error:
            codes.add(error.code)
        else:
            inserted.add(row.id)
    assert codes == {121}
    assert inserted == accepted_by_sql(sqlite, condition)


def test_unexpected_types_raise_no_errors_in_validators(matrix_database):
    """The server would answer an error of an operator with a refusal of every write."""
    codes = set()
    for number, condition in enumerate(CONDITIONS.values()):
        name = f"c{number}"
        matrix_database.create_collection(name, validator=query_for(condition))
        odd = [dict.fromkeys(VALUES, value) for value in ("text", 5, [1, "a"], {"b": 1})]
        try:
            matrix_database[name].insert_many(odd, ordered=False)
        except BulkWriteError as error:
            codes |= {each["code"] for each in error.details["writeErrors"]}
    assert codes == {121}


class TestQueries:
    @pytest.mark.parametrize(
        ("condition", "query"),
        [
            (Q(number__gte=18), {"$or": [{"number": {"$gte": 18}}, {"number": None}]}),
            (Q(number__isnull=False), {"number": {"$ne": None}}),
            (~Q(id=5), {"_id": {"$not": {"$eq": 5}}}),
            (Q(number__in=[]), NOTHING),
            (~Q(number__in=[]), {}),
            (
                Q(name__istartswith="a.b"),
                {
                    "$or": [
                        {"name": {"$regex": r"(*UCP)^a\.b", "$options": "i"}},
                        {"name": None},
                    ]
                },
            ),
        ],
    )
    def test_columns_and_constants_need_no_expressions(self, condition, query):
        assert query_for(condition) == query

    def test_xor_grows_with_the_square(self):
        def size(count: int) -> int:
            condition = Q(number=0)
            for number in range(1, count):
                condition ^= Q(number=number)
            return len(repr(query_for(condition)))

        assert size(16) < 5 * size(8)

    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            (r"^\w+$", {"héé", "a\u0661", "ab", "ab\n"}),
            (r"^\w+\Z", {"héé", "a\u0661", "ab"}),
            (r"^a\d$", {"a\u0661"}),
            ("\\u00e9", {"héé"}),
            (r"(?i)^AB", {"ab", "ab\n"}),
            (r"(?P<x>.)\b(?P=x)|é{2}", {"héé"}),
            (r"[]^-]", {"]"}),
            (r"^a{,1}b\Z", {"ab"}),
            (r"[{,1}(?i)]|^$", {""}),
            (r"^[^]b-z{,3}]{2}", {"a\u0661"}),
        ],
    )
    def test_patterns_mean_what_they_mean_in_python(self, matrix_database, pattern, found):
        texts = ["héé", "a\u0661", "ab", "ab\n", "", "]"]
        assert {text for text in texts if re.search(pattern, text)} == found
        matrix_database.texts.insert_many([{"_id": n, "name": t} for n, t in enumerate(texts)])
        query = query_for(Q(name__regex=pattern))
        assert {d["name"] for d in matrix_database.texts.find(query)} == found

    def test_case_of_letters_beyond_ascii(self, matrix_database):
        matrix_database.texts.insert_one({"name": "ÉCOLE"})
        assert matrix_database.texts.find_one(query_for(Q(name__icontains="école")))
        assert matrix_database.texts.find_one(query_for(Q(name__contains="école"))) is None

    def test_json_keys(self, matrix_database):
        values = [{}, {"a": 1}, {"a": 5}, {"a": None}, {"a": "x"}, {"b": {"c": 7}}, None]
        matrix_database.rows.insert_many([{"_id": n, "data": v} for n, v in enumerate(values)])

        def found(condition: Q) -> list[int]:
            return sorted(d["_id"] for d in matrix_database.rows.find(query_for(condition)))

        assert found(Q(data__has_key="a")) == [1, 2, 3, 4, 6]
        assert found(Q(data__has_any_keys=["a", "b"])) == [1, 2, 3, 4, 5, 6]
        assert found(Q(data__a__isnull=True)) == [0, 5, 6]
        assert found(~Q(data__a=1)) == [0, 2, 3, 4, 5, 6]
        assert found(Q(data__b__c__gt=6)) == [0, 1, 2, 3, 4, 5, 6]


class TestProblems:
    @pytest.mark.parametrize(
        ("condition", "reason"),
        [
            (Q(friend__name="x"), "Joined field references are not permitted"),
            (Q(day="soon"), "“soon” value has an invalid date format"),
            (Q(number__gt=2**70), "beyond the 64 bits of a long"),
            (Q(nothing=1), "Cannot resolve keyword 'nothing'"),
            (Q(name=f.Reverse("name")), "Reverse cannot be expressed in a validator"),
            (Q(number=F("number").bitand(1)), "the operator & cannot be expressed in a validator"),
            (Q(data__contains={"a": 1}), "a JSONField has no text to compare with"),
            (Q(name__regex=F("nick")), "a pattern from a column"),
            (Q(name__regex="(?a)x"), "MongoDB has no flags 'a'"),
            (Q(name__regex="a\0"), "NUL"),
            (Q(name__regex="[[:alpha:]]"), r"reads \[: in a regular expression"),
            (Q(data__has_key="a.b"), "a key with a dot"),
            (Q(day__contains="2024"), "a DateField has no text"),
            (Q(number__in=Specimen.objects.values("number")), "query"),
        ],
    )
    def test_what_cannot_be_expressed_is_said(self, condition, reason):
        with pytest.raises(NotExpressible, match=reason):
            query_for(condition)

    def test_constraints_of_a_model(self):
        queries, problems = check_queries(Word, backend=True)
        assert len(queries) == 1
        assert [(problem.subject, problem.reason) for problem in problems] == [
            (
                "target.Word: constraint word_is_palindrome",
                "The server cannot check it: Reverse cannot be expressed in a validator.",
            )
        ]
