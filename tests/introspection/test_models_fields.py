"""The declarations that documents, indexes and references become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Timestamp

from djongo_services.introspection.catalog import Collection
from djongo_services.introspection.modelling import render_models
from djongo_services.introspection.modelling.declarations import Call
from djongo_services.introspection.modelling.source import literal
from djongo_services.introspection.modelling.types import backend_scalar
from djongo_services.introspection.report import CollectionReport, Reference
from tests.introspection.modelling_oracle import profile_of, report_of
from tests.introspection.modelling_project import run_modules
from tests.introspection.modelling_syntax import body

Style = Literal["backend", "plain"]
JSON = "models.JSONField()"


def declared(value: Any, *, values: bool = False, style: Style = "backend") -> str:
    """The declaration of a field ``f`` that holds each of the values, without its name."""
    documents = [{"_id": ObjectId(), "f": each} for each in value]
    text = render_models(report_of({"things": documents}, values=values), style=style)
    (line,) = [line for line in body("things", text).splitlines() if line.startswith("    f = ")]
    return line.removeprefix("    f = ")


@pytest.mark.parametrize(
    ("values", "backend", "plain"),
    [
        (["a"], "models.TextField(blank=True)", "models.TextField(blank=True)"),
        ([1], "models.SmallIntegerField()", "models.IntegerField()"),
        ([Int64(1)], "models.BigIntegerField()", "models.BigIntegerField()"),
        ([1, Int64(1)], "models.BigIntegerField()", "models.BigIntegerField()"),
        ([1.5], "models.FloatField()", "models.FloatField()"),
        ([1, 1.5], "models.FloatField()", "models.FloatField()"),
        ([Int64(1), 1.5], "BSONField()", "BSONField()"),
        ([True], "models.BooleanField()", "models.BooleanField()"),
        ([ObjectId()], "ObjectIdField()", "BSONObjectIdField()"),
        ([b"a"], "models.BinaryField(blank=True)", "models.BinaryField(blank=True)"),
        ([Binary(b"0" * 16, 4)], "BSONField()", "models.UUIDField()"),
        ([Binary(b"0" * 16, 3)], "BSONField()", "BSONField()"),
        ([Timestamp(1, 1)], "BSONField()", "BSONField()"),
        ([{"a": 1}, {}], "EmbeddedModelField(F)", "models.JSONField(blank=True)"),
        ([{"a": 1}], "EmbeddedModelField(F)", "models.JSONField()"),
        ([{"a": ObjectId()}], "EmbeddedModelField(F)", "BSONField()"),
        ([[1]], "ArrayField(models.SmallIntegerField())", "models.JSONField()"),
        (
            [[]],
            "ArrayField(BSONField(null=True, blank=True), blank=True)",
            "BSONField(blank=True)",
        ),
        ([[1, None]], "ArrayField(models.SmallIntegerField(null=True, blank=True))", JSON),
        ([["a"]], "ArrayField(models.TextField(blank=True))", JSON),
        ([[[1], [2]]], "ArrayField(ArrayField(models.SmallIntegerField()))", JSON),
        ([[[1], [2, 3]]], "ArrayField(models.JSONField())", JSON),
        ([[{"a": 1}, None]], "ArrayField(models.JSONField(null=True, blank=True))", JSON),
        ([[{"a": 1}]], "EmbeddedModelArrayField(F)", "models.JSONField()"),
        ([[1, "a"]], "ArrayField(BSONField(blank=True))", JSON),
        ([["a"], "a"], "models.JSONField(blank=True)", "models.JSONField(blank=True)"),
        ([[Int64(1)], "a"], "BSONField(blank=True)", "BSONField(blank=True)"),
        ([None], "BSONField(null=True, blank=True)", "BSONField(null=True, blank=True)"),
        (
            ["a", None],
            "models.TextField(null=True, blank=True)",
            "models.TextField(null=True, blank=True)",
        ),
    ],
)
def test_types_become_fields(values: list[Any], backend: str, plain: str) -> None:
    assert declared(values) == backend
    assert declared(values, style="plain") == plain


def test_values_tell_lengths_and_choices() -> None:
    recurring = ["new", "old"] * 10
    assert declared(["abc", "defghi"], values=True) == "models.CharField(max_length=10)"
    assert declared(["abc"] * 20, values=True) == "models.CharField(max_length=3)"
    assert declared(["a", "x" * 300], values=True) == "models.TextField()"
    assert declared(["", "abc"], values=True) == "models.CharField(max_length=10, blank=True)"
    assert declared([1, 2, 1, 2], values=True) == (
        'models.SmallIntegerField(choices=[(1, "1"), (2, "2")])'
    )
    assert declared(recurring, values=True) == (
        'models.CharField(max_length=3, choices=[("new", "new"), ("old", "old")])'
    )


def test_decimals_are_plain_only_where_all_are_known_to_be_numbers() -> None:
    prices = [Decimal128("1.50"), Decimal128("10.125")]

    assert declared(prices) == "Decimal128Field()"
    assert declared(prices, values=True) == "models.DecimalField(max_digits=34, decimal_places=3)"
    assert declared([*prices, Decimal128("NaN")], values=True) == "Decimal128Field()"
    assert declared([*prices, Decimal128("Infinity")], values=True) == "Decimal128Field()"


def test_identical_shapes_share_a_class_and_others_do_not() -> None:
    documents = {
        "orders": [{"_id": 1, "from": {"zip": "1"}, "to": {"zip": "2"}}],
        "people": [{"_id": 1, "to": {"zip": 1}}],
    }

    text = render_models(report_of(documents), style="backend")

    assert "# orders: from, to.\nclass From(EmbeddedModel):" in text
    assert "# people: to.\nclass To(EmbeddedModel):" in text
    assert "    to = EmbeddedModelField(From)\n" in text
    assert "    to = EmbeddedModelField(To)\n" in text


def test_a_class_whose_name_is_taken_is_called_after_its_owner() -> None:
    documents = {
        "orders": [{"_id": 1, "place": {"zip": "1"}}],
        "people": [{"_id": 1, "place": {"zip": 1}}],
    }

    text = render_models(report_of(documents), style="backend")

    assert "class Place(EmbeddedModel):" in text
    assert "class PersonPlace(EmbeddedModel):" in text


def test_what_never_was_missing_by_estimate_may_be_missing_inside() -> None:
    documents = {"people": [{"_id": 1, "name": "x", "address": {"zip": "1"}}]}

    text = render_models(report_of(documents, depth="complete"), style="backend")

    assert "    zip = models.TextField(null=True, blank=True)\n" in text
    assert "    name = models.TextField(blank=True)\n" in text


def _reference(key: str, target: str, **options: Any) -> Reference:
    return Reference(path=(key,), target=target, **{"checked": 3, "found": 3, **options})


@pytest.fixture
def related() -> str:
    one, two = ObjectId(), ObjectId()
    people = [{"_id": one, "name": "a", "bestFriend": two, "task": [two], "note_set": 1}]
    tasks = [{"_id": two, "owner_id": one, "reader": one, "parent": two, "badge": two, "code": "x"}]
    return render_models(
        report_of(
            {"people": people, "tasks": tasks, "note": [{"_id": one, "by": one}]},
            references={
                "people": [
                    _reference("bestFriend", "people"),
                    Reference(path=("task",), target="tasks", many=True, checked=1, found=1),
                ],
                "tasks": [
                    _reference("owner_id", "people"),
                    _reference("reader", "people", found=2, checked=10),
                    _reference("parent", "tasks", found=9, checked=10),
                    _reference("badge", "tasks", unique=True),
                    _reference("code", "elsewhere"),
                ],
                "note": [_reference("by", "people")],
            },
        ),
        style="backend",
    )


def test_verified_references_become_foreign_keys(related: str, tmp_path: Path) -> None:
    tasks = body("tasks", related)

    # People have a field task, which Django would call the way back in queries.
    assert (
        "    owner = models.ForeignKey(\n"
        '        "Person",\n'
        "        models.DO_NOTHING,\n"
        '        related_name="task_owner",\n'
        "        db_index=False,\n"
        "    )\n"
    ) in tasks
    assert "    # reader refers to people (2 of 10 values looked up were found).\n" in tasks
    assert "    reader = ObjectIdField()\n" in tasks
    assert "    # 1 of 10 values looked up are not in tasks.\n" in tasks
    assert "    # code refers to elsewhere.\n    code = models.TextField(blank=True)\n" in tasks
    assert "    badge = models.OneToOneField(" in tasks
    people = body("people", related)
    assert "best_friend = models.ForeignKey(" in people
    assert 'db_column="bestFriend"' in people
    assert "    # task refers to tasks.\n    task = ArrayField(ObjectIdField())\n" in people
    outcome = run_modules(tmp_path, [related], uri="mongodb://127.0.0.1:1/", database="unused")
    assert outcome.check == ""


def test_ways_back_get_names_where_django_would_clash(related: str) -> None:
    # People have a field note_set, and tasks refer to tasks twice.
    assert 'related_name="note_by"' in body("note", related)
    assert 'related_name="task_badge"' in body("tasks", related)


def test_a_reference_of_another_type_stays_a_value() -> None:
    text = render_models(
        report_of(
            {"people": [{"_id": ObjectId()}], "tasks": [{"_id": 1, "owner": "x"}]},
            references={"tasks": [_reference("owner", "people")]},
        ),
        style="backend",
    )

    assert "    # owner refers to people.\n    owner = models.TextField(blank=True)\n" in text


def test_keys_of_the_plain_style_are_enforced_by_nothing(tmp_path: Path) -> None:
    one = ObjectId()
    text = render_models(
        report_of(
            {"people": [{"_id": one}], "tasks": [{"_id": 1, "owner": one}]},
            references={"tasks": [_reference("owner", "people")]},
        ),
        style="plain",
    )

    assert "        db_constraint=False,\n" in body("tasks", text)
    assert "django_mongodb_backend" not in text
    assert "from djongo_services.objectids import BSONObjectIdField\n" in text
    assert run_modules(tmp_path, [text], style="plain").check == ""


def test_views_and_partial_results_say_so() -> None:
    report = report_of({"things": [{"_id": 1, "a": 1}]}, depth="sample")
    profile = profile_of("recent", [{"a": 1}], depth="sample")
    view = CollectionReport(
        collection=Collection(
            name="recent", type="view", options={"viewOn": "things", "pipeline": []}
        ),
        profile=replace(
            profile, coverage=replace(profile.coverage, stopped="The collection was dropped.")
        ),
    )
    unreadable = CollectionReport(collection=Collection(name="secret"))
    report = replace(
        report,
        collections=(view, unreadable, *report.collections),
        stopped="Stopped by the user.",
    )

    text = render_models(report, style="backend")

    assert "# A view of things: it can be read, not written.\n" in text
    assert "# Incomplete: The collection was dropped.\n" in text
    assert "    # The documents were not read.\n" in text
    assert "The inspection ended early. Stopped by the user.\n" in text
    assert "Inspect\nwith --depth complete before you save through them." in text


def test_one_report_gives_one_text() -> None:
    documents = {"a": [{"_id": 1, "b": {"c": [1, "d"]}}]}

    assert render_models(report_of(documents), style="backend") == render_models(
        report_of(documents), style="backend"
    )


def test_only_plain_literals_and_known_calls_are_written() -> None:
    with pytest.raises(TypeError, match="cannot contain a float"):
        literal(1.5)  # type: ignore[arg-type]
    assert isinstance(backend_scalar(profile_of("x", [{"a": 1}]).fields[0]), Call)


@pytest.mark.parametrize(
    ("collection", "comment"),
    [
        (
            Collection(name="x", type="timeseries"),
            "# A time-series collection: the server accepts new documents, but no changes.\n",
        ),
        (
            Collection(name="x", options={"capped": True}),
            "# A capped collection: nothing can be removed from it one by one.\n",
        ),
    ],
    ids=["time-series", "capped"],
)
def test_special_collections_are_told(collection: Collection, comment: str) -> None:
    report = replace(report_of({}), collections=(CollectionReport(collection=collection),))

    assert comment in render_models(report, style="backend")


def test_deep_documents_become_values_at_some_depth(tmp_path: Path) -> None:
    document: Any = {"leaf": 1}
    for _ in range(90):
        document = {"in": document, "list": [[[document]]]} if _ % 30 == 0 else {"in": document}
    text = render_models(report_of({"deep": [{"_id": 1, "a": document}]}), style="backend")

    assert text.count("(EmbeddedModel):") == 5
    assert "models.JSONField(" in text
    assert (
        run_modules(tmp_path, [text], uri="mongodb://127.0.0.1:1/", database="unused").check == ""
    )
