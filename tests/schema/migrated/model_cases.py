"""Models, their relations and tables, and migrations that write documents themselves."""

from __future__ import annotations

from typing import Any

from bson import Int64
from django.db import migrations, models
from django_mongodb_backend.fields import EmbeddedModelField
from django_mongodb_backend.models import EmbeddedModel

from tests.schema.migrated.building import Case, N, char, integer, model, simple, thing


def write_both_shapes(registry: Any, editor: Any) -> None:
    """As data migrations do: documents of the old models, of the new ones and of neither."""
    thing = registry.get_model("run_python", "Thing")
    thing.objects.using(editor.connection.alias).create(name="by the ORM", code="n" * 30)
    things = editor.connection.database.run_python_thing
    things.insert_one({"name": "old"})
    things.insert_one({"name": 1, "code": None, "more": True})
    things.delete_many({"name": 1})
    things.update_many({"code": {"$exists": False}}, {"$set": {"code": "x"}})


def undo_both_shapes(registry: Any, editor: Any) -> None:
    things = editor.connection.database.run_python_thing
    things.insert_one({"name": "n" * 99})
    things.delete_many({"name": {"$ne": "new"}})


def write_elsewhere(registry: Any, editor: Any) -> None:
    things = editor.connection.database.run_python_thing
    things.insert_one({"name": 7, "odd": True})
    things.delete_many({"odd": True})


MODELS: dict[str, Case] = {
    "rename_model": Case(
        initial=[
            model("Tag", name=char()),
            thing(name=char(), tags=models.ManyToManyField("rename_model.tag")),
            model("Note", thing=models.ForeignKey("rename_model.thing", models.CASCADE, null=True)),
        ],
        change=[
            migrations.RenameModel("Thing", "Item"),
            migrations.AddField("item", "size", integer(default=1)),
        ],
        old={
            "thing": [N],
            "tag": [N],
            "note": [{"thing_id": None}],
            "thing_tags": [{"thing_id": "oid", "tag_id": "oid"}],
        },
        new={
            "item": [{**N, "size": Int64(2)}],
            "tag": [N],
            "note": [{"thing_id": None}],
            "item_tags": [{"item_id": "oid", "tag_id": "oid"}],
        },
    ),
    "alter_table": Case(
        initial=[thing(name=char())],
        change=[migrations.AlterModelTable("thing", "alter_table_thing_moved")],
        old={"thing": [N]},
        new={"thing_moved": [N]},
    ),
    "m2m_table": Case(
        initial=[
            model("Tag", name=char()),
            thing(name=char(), tags=models.ManyToManyField("m2m_table.tag")),
        ],
        change=[
            migrations.AlterField(
                "thing",
                "tags",
                models.ManyToManyField("m2m_table.tag", db_table="m2m_table_thing_moved"),
            )
        ],
        old={"thing": [N], "thing_tags": [{"thing_id": "oid", "tag_id": "oid"}]},
        new={"thing": [N], "thing_moved": [{"thing_id": "oid", "tag_id": "oid"}]},
    ),
    "m2m_add": Case(
        initial=[model("Tag", name=char()), thing(name=char())],
        change=[migrations.AddField("thing", "tags", models.ManyToManyField("m2m_add.tag"))],
        old={"thing": [N], "tag": [N]},
        new={"thing": [N], "thing_tags": [{"thing_id": "oid", "tag_id": "oid"}]},
    ),
    "m2m_remove": Case(
        initial=[
            model("Tag", name=char()),
            thing(name=char(), tags=models.ManyToManyField("m2m_remove.tag")),
        ],
        change=[migrations.RemoveField("thing", "tags")],
        old={"thing": [N], "thing_tags": [{"thing_id": "oid", "tag_id": "oid"}]},
        new={"thing": [N], "tag": [N]},
    ),
    "foreign_key_to_text": Case(
        # The type of a primary key is also that of the columns that refer to it.
        initial=[
            migrations.CreateModel("Tag", [("code", integer(primary_key=True, db_column="_id"))]),
            model("Thing", tag=models.ForeignKey("foreign_key_to_text.tag", models.CASCADE)),
        ],
        change=[migrations.AlterField("tag", "code", char(primary_key=True, db_column="_id"))],
        old={"thing": [{"tag_id": Int64(1)}]},
        new={"tag": [{"_id": "a"}], "thing": [{"tag_id": "a"}]},
    ),
    "run_python": Case(
        initial=[thing(name=char(max_length=10))],
        change=[
            migrations.AddField("thing", "code", char(max_length=40, default="c")),
            migrations.RunPython(write_both_shapes, undo_both_shapes),
        ],
        old={"thing": [{"name": "old"}]},
        new={"thing": [{"name": "new", "code": "c"}]},
    ),
    "delete_model": Case(
        initial=[thing(name=char()), model("Other", name=char())],
        change=[migrations.DeleteModel("Other")],
        old={"thing": [N], "other": [N]},
        new={"thing": [N]},
    ),
    "create_model": Case(
        initial=[thing(name=char())],
        change=[model("Other", name=char())],
        old={"thing": [N]},
        new={"thing": [N], "other": [N]},
    ),
    "separate": simple(
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.AddField("thing", "size", integer(default=1))],
            state_operations=[migrations.AddField("thing", "size", integer())],
        ),
        old=N,
        new={**N, "size": Int64(2)},
        name=char(),
    ),
    "separate_state_only": Case(
        initial=[thing(name=char()), model("Other", name=char())],
        change=[
            migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel("Other")])
        ],
        old={"thing": [N], "other": [N]},
        new={"thing": [N], "other": [N]},
    ),
    "run_python_alone": Case(
        # Writes to the collection of an app that its migration depends on.
        initial=[thing(name=char())],
        change=[migrations.RunPython(write_elsewhere, write_elsewhere)],
        dependencies=[("run_python", "0001_initial")],
        old={"thing": [N]},
        new={"thing": [N]},
    ),
    "embedded": Case(
        initial=[
            migrations.CreateModel(
                "Part", [("name", char())], bases=(EmbeddedModel,), options={"managed": True}
            ),
            model("Thing", part=EmbeddedModelField("embedded.part", null=True)),
        ],
        change=[migrations.AddField("part", "size", integer(null=True))],
        old={"thing": [{"part": {"name": "n"}}]},
        new={"thing": [{"part": {"name": "n", "size": Int64(1)}}]},
        closed=True,
    ),
    "order": Case(
        initial=[
            model("Tag", name=char()),
            thing(name=char(), tag=models.ForeignKey("order.tag", models.CASCADE, null=True)),
        ],
        change=[migrations.AlterOrderWithRespectTo("thing", "tag")],
        old={"thing": [{**N, "tag_id": None}], "tag": [N]},
        new={"thing": [{**N, "tag_id": None, "_order": 1}], "tag": [N]},
    ),
    "inherited": Case(
        initial=[
            thing(name=char()),
            migrations.CreateModel(
                "Note",
                [
                    (
                        "thing_ptr",
                        models.OneToOneField(
                            "inherited.thing",
                            models.CASCADE,
                            primary_key=True,
                            parent_link=True,
                            db_column="_id",
                        ),
                    ),
                    ("code", char(default="c")),
                ],
                bases=("inherited.thing",),
            ),
        ],
        change=[
            migrations.AddField("note", "size", integer(default=1)),
            migrations.RemoveField("note", "code"),
        ],
        old={"thing": [N], "note": [{"code": "c"}]},
        new={"thing": [N], "note": [{"size": Int64(2)}]},
    ),
    "moved": Case(
        # The model goes to another one of the same collection, as when it changes its app.
        initial=[model("Thing", name=char(), options={"db_table": "moved_thing"})],
        change=[
            migrations.SeparateDatabaseAndState(
                state_operations=[
                    migrations.DeleteModel("Thing"),
                    model("Item", name=char(), options={"db_table": "moved_thing"}),
                ]
            ),
            migrations.AddField("item", "size", integer(default=1)),
        ],
        old={"thing": [N]},
        new={"thing": [{**N, "size": Int64(2)}]},
    ),
    "proxy": Case(
        initial=[thing(name=char())],
        change=[
            migrations.CreateModel("Same", [], bases=("proxy.thing",), options={"proxy": True}),
            migrations.AddField("thing", "size", integer(default=1)),
        ],
        old={"thing": [N]},
        new={"thing": [{**N, "size": Int64(2)}]},
    ),
}
