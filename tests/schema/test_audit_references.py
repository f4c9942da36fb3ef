"""References that no document answers to: found by the server, declared by models."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from bson import ObjectId
from bson.regex import Regex
from django.apps import apps
from django.db import models
from django.test.utils import isolate_apps
from django_mongodb_backend.fields import (
    ArrayField,
    EmbeddedModelArrayField,
    EmbeddedModelField,
    ObjectIdAutoField,
    PolymorphicEmbeddedModelField,
)
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.introspection.path import ELEMENT, Path
from djongo_services.introspection.profiling.interruption import ProfilingInterrupted
from djongo_services.progress import Progress
from djongo_services.schema.references import (
    DanglingExample,
    ForeignReference,
    audit_references,
    model_references,
    spec_references,
)
from djongo_services.schema.spec import CollectionSpec
from tests.introspection.guarded import guarded_server


def reference(*path: Any, **other: Any) -> ForeignReference:
    return ForeignReference(
        **{
            "model": "app.Loan",
            "collection": "loans",
            "path": path,
            "target": "books",
            "target_path": ("_id",),
            **other,
        }
    )


def figures(database: Any, wanted: ForeignReference) -> tuple[int, int]:
    """Documents and values that dangle."""
    found = audit_references(database, [wanted])
    assert all(one.unavailable is None for one in found)
    return (found[0].documents, found[0].values) if found else (0, 0)


class TestAudit:
    def test_nothing_dangles(self, matrix_database):
        matrix_database.books.insert_many([{"_id": n} for n in range(10)])
        matrix_database.loans.insert_many([{"book_id": n % 10} for n in range(100)])
        matrix_database.loans.insert_many([{"book_id": None}, {}])
        assert audit_references(matrix_database, [reference("book_id")]) == ()

    def test_documents_values_and_examples(self, matrix_database):
        matrix_database.books.insert_many([{"_id": n} for n in range(10)])
        matrix_database.loans.insert_many([{"_id": n, "book_id": n % 13} for n in range(130)])
        (found,) = audit_references(matrix_database, [reference("book_id")], examples=2)
        assert found.reference == reference("book_id")
        assert (found.documents, found.values) == (30, 3)
        assert found.examples == (
            DanglingExample(id=10, value=10),
            DanglingExample(id=11, value=11),
        )

    def test_a_far_larger_target(self, matrix_database):
        matrix_database.books.insert_many([{"_id": n} for n in range(2000)])
        matrix_database.loans.insert_many([{"book_id": n} for n in (1, 5, 1999, 2000, 2000)])
        assert figures(matrix_database, reference("book_id")) == (2, 1)

    def test_no_target_at_all(self, matrix_database):
        matrix_database.loans.insert_many([{"book_id": n} for n in range(3)])
        assert figures(matrix_database, reference("book_id")) == (3, 3)

    def test_no_source_at_all(self, matrix_database):
        assert figures(matrix_database, reference("book_id")) == (0, 0)

    def test_keys_without_an_index_that_queries_use(self, matrix_database):
        matrix_database.books.insert_many([{"_id": n, "isbn": f"i{n}"} for n in range(500)])
        matrix_database.books.create_index(
            "isbn", unique=True, partialFilterExpression={"isbn": {"$type": "string"}}
        )
        matrix_database.loans.insert_many([{"isbn": f"i{n}"} for n in range(490, 510)])
        assert figures(matrix_database, reference("isbn", target_path=("isbn",))) == (10, 10)

    def test_elements_of_arrays_count_their_document_once(self, matrix_database):
        matrix_database.books.insert_many([{"_id": n} for n in range(5)])
        matrix_database.loans.insert_many(
            [
                {"_id": 1, "lines": [{"book_id": 1}, {"book_id": 77}, {"book_id": 78}]},
                {"_id": 2, "lines": [{"book_id": 77}, {"book_id": 77}, {}]},
                {"_id": 3, "lines": [{"book_id": 4}, {"book_id": None}]},
                {"_id": 4, "lines": []},
                {"_id": 5, "lines": {"book_id": 99}},
                {"_id": 6},
            ]
        )
        assert figures(matrix_database, reference("lines", ELEMENT, "book_id")) == (2, 2)

    def test_embedded_documents(self, matrix_database):
        matrix_database.books.insert_one({"_id": 1})
        matrix_database.loans.insert_many([{"a": {"b": {"c": n}}} for n in (1, 2, 3)])
        assert figures(matrix_database, reference("a", "b", "c")) == (2, 2)

    def test_numbers_of_all_types_are_alike_and_strings_are_not_object_ids(self, matrix_database):
        key = ObjectId()
        matrix_database.books.insert_many([{"_id": 1}, {"_id": key}])
        matrix_database.loans.insert_many([{"book_id": value} for value in (1, 1.0, key, str(key))])
        assert figures(matrix_database, reference("book_id")) == (1, 1)

    def test_a_reference_to_its_own_collection(self, matrix_database):
        nodes = [{"_id": n, "parent_id": n + 1} for n in range(5)]
        matrix_database.nodes.insert_many(nodes)
        own = reference("parent_id", collection="nodes", target="nodes")
        assert figures(matrix_database, own) == (1, 1)

    def test_names_and_values_are_data(self, matrix_database):
        odd: list[Any] = [Regex(".*"), {"gt": 0}, "$_id", "$$ROOT"]
        matrix_database.books.insert_many([{"_id": n} for n in ("1", "2")])
        matrix_database.loans.insert_many([{"a.b": value} for value in odd])
        assert figures(matrix_database, reference("a.b")) == (4, 4)

    def test_operators_are_data(self, database):
        database.books.insert_one({"_id": 1})
        database.loans.insert_many([{"$x": {"$gt": 0}, "lines": [{"$gt": 0}, 1]}])
        assert figures(database, reference("$x")) == (1, 1)
        assert figures(database, reference("lines", ELEMENT)) == (1, 1)

    def test_each_reference_is_told_before_it_is_looked_at(self, database):
        seen: list[Progress] = []
        audit_references(database, [reference("a"), reference("b")], progress=seen.append)
        assert [(at.collection, at.phase, at.done, at.total) for at in seen] == [
            ("loans", "references", 0, 2),
            ("loans", "references", 1, 2),
        ]

    def test_stopped(self, database):
        database.loans.insert_one({"book_id": 1})
        stop = threading.Event()
        stop.set()
        with pytest.raises(ProfilingInterrupted):
            audit_references(database, [reference("book_id")], stop=stop)

    def test_inside_a_transaction_of_the_caller(self, database):
        database.loans.insert_one({"book_id": 1})
        with database.client.start_session() as session, session.bind():
            with session.start_transaction():
                database.loans.insert_one({"book_id": 2})
                assert figures(database, reference("book_id")) == (1, 1)

    def test_what_the_user_may_not_read_is_said(self, tmp_path):
        with guarded_server(tmp_path, "6.0") as server:
            with server.client("root") as root:
                root.shop.loans.insert_one({"book_id": 1})
                root.shop.notes.insert_one({"book_id": 1})
            readable = {"resource": {"db": "shop", "collection": "loans"}, "actions": ["find"]}
            with server.user([readable]) as client:
                found = audit_references(
                    client.shop,
                    [
                        reference("book_id"),
                        reference("book_id", collection="notes", target="loans"),
                    ],
                )
        assert [(one.reference.collection, one.documents) for one in found] == [
            ("loans", 0),
            ("notes", 0),
        ]
        assert found[1].unavailable == "the user may not read notes any more."


class Labelled(models.Model):
    class Meta:
        abstract = True
        app_label = "backend_app"


class LabelledPart(EmbeddedModel):
    class Meta:
        abstract = True
        app_label = "backend_app"


def paths(*chosen: type[models.Model], **options: Any) -> list[tuple[str, Path, str, Path]]:
    return [
        (one.collection, one.path, one.target, one.target_path)
        for one in model_references(chosen, **options)
    ]


class TestDeclared:
    """On django-mongodb-backend, whose columns are the names in the documents."""

    def test_foreign_keys_and_the_collections_of_many_to_many_relations(self):
        user = apps.get_model("auth.User")
        assert paths(apps.get_model("auth.Permission"), user) == [
            ("auth_permission", ("content_type_id",), "django_content_type", ("_id",)),
            ("auth_user_groups", ("user_id",), "auth_user", ("_id",)),
            ("auth_user_groups", ("group_id",), "auth_group", ("_id",)),
            ("auth_user_user_permissions", ("user_id",), "auth_user", ("_id",)),
            ("auth_user_user_permissions", ("permission_id",), "auth_permission", ("_id",)),
        ]

    def test_of_the_models_behind_specs(self):
        spec = CollectionSpec(name="auth_permission", models=("auth.Permission",))
        (found,) = spec_references([spec, spec])
        assert (found.model, found.path) == ("auth.Permission", ("content_type_id",))

    @isolate_apps("tests.backend_app")
    def test_db_column_to_field_and_models_of_models(self):
        class Book(Labelled):
            id = ObjectIdAutoField(primary_key=True)
            isbn = models.CharField(unique=True, db_column="ISBN", max_length=13)

        class Comic(Book):
            class Meta:
                app_label = "backend_app"

        class Special(Comic):
            class Meta:
                app_label = "backend_app"
                proxy = True

        class Loan(Labelled):
            id = ObjectIdAutoField(primary_key=True)
            isbn = models.ForeignKey(Book, models.CASCADE, to_field="isbn", db_column="b")
            comic = models.OneToOneField(Special, models.CASCADE)
            parent = models.ForeignKey("self", models.CASCADE)

        assert paths(Loan, Special, Comic) == [
            ("backend_app_loan", ("b",), "backend_app_book", ("ISBN",)),
            ("backend_app_loan", ("comic_id",), "backend_app_comic", ("book_ptr_id",)),
            ("backend_app_loan", ("parent_id",), "backend_app_loan", ("_id",)),
            ("backend_app_comic", ("book_ptr_id",), "backend_app_book", ("_id",)),
        ]
        assert paths(Loan, among=[Loan]) == [
            ("backend_app_loan", ("parent_id",), "backend_app_loan", ("_id",))
        ]

    @isolate_apps("tests.backend_app")
    def test_inside_embedded_models(self):
        class Book(Labelled):
            id = ObjectIdAutoField(primary_key=True)

        class Line(LabelledPart):
            book = models.ForeignKey(Book, models.CASCADE)

        class Cover(LabelledPart):
            line = EmbeddedModelField(Line, db_column="l")

        class Loan(Labelled):
            id = ObjectIdAutoField(primary_key=True)
            lines = EmbeddedModelArrayField(Line)
            cover = EmbeddedModelField(Cover)
            any = PolymorphicEmbeddedModelField([Line, Cover])
            numbers = ArrayField(models.IntegerField())

        assert [path for _, path, _, _ in paths(Loan)] == [
            ("lines", ELEMENT, "book_id"),
            ("cover", "l", "book_id"),
            ("any", "book_id"),
            ("any", "l", "book_id"),
        ]

    def test_what_is_declared_can_be_audited(self, matrix_database):
        matrix_database.django_content_type.insert_one({"_id": 1})
        matrix_database.auth_permission.insert_many([{"content_type_id": n} for n in (1, 2)])
        (wanted,) = model_references([apps.get_model("auth.Permission")])
        assert figures(matrix_database, wanted) == (1, 1)


CODE = """
import json
from django.apps import apps
from django.db import models
from djongo_services.schema.references import model_references

class Book(models.Model):
    group = models.ForeignKey("auth.Group", models.CASCADE)
    isbn = models.CharField(max_length=13, unique=True)
    class Meta:
        app_label = "djongo_services"

class Comic(Book):
    class Meta:
        app_label = "djongo_services"

class Loan(models.Model):
    comic = models.OneToOneField(Comic, models.CASCADE, primary_key=True)
    isbn = models.ForeignKey(Book, models.CASCADE, to_field="isbn")
    class Meta:
        app_label = "djongo_services"

found = model_references([apps.get_model("auth.Group"), Comic, Loan])
print(json.dumps([[one.collection, one.path, one.target, one.target_path] for one in found]))
"""


def test_where_the_orm_is_on_sql_keys_are_at_id_and_inherited_fields_in_the_document(django_sql):
    result = django_sql(code=CODE)
    assert result.returncode == 0, result.stderr
    comic = "djongo_services_comic"
    assert json.loads(result.stdout) == [
        [comic, ["group_id"], "auth_group", ["_id"]],
        ["djongo_services_loan", ["_id"], comic, ["_id"]],
        ["djongo_services_loan", ["isbn_id"], "djongo_services_book", ["isbn"]],
        ["auth_group_permissions", ["group_id"], "auth_group", ["_id"]],
        ["auth_group_permissions", ["permission_id"], "auth_permission", ["_id"]],
    ]
