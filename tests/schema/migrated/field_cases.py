"""One collection whose fields, constraints or indexes change."""

from __future__ import annotations

from bson import Int64
from django.db import migrations, models
from django.db.models import Q

from tests.schema.migrated.building import LONG, Case, N, char, integer, model, simple, thing

FIELDS: dict[str, Case] = {
    "add_null": simple(
        migrations.AddField("thing", "size", integer(null=True)),
        old=N,
        new={**N, "size": Int64(1)},
        name=char(),
    ),
    "add_default": simple(
        migrations.AddField("thing", "size", integer(default=3)),
        old=N,
        new={**N, "size": Int64(1)},
        name=char(),
    ),
    "add_not_null": simple(
        migrations.AddField("thing", "size", integer(default=0), preserve_default=False),
        old=N,
        new={**N, "size": Int64(1)},
        name=char(),
    ),
    "add_choice_field": simple(
        migrations.AddField("thing", "kind", char(choices=[("a", "A")], default="a")),
        old=N,
        new={**N, "kind": "a"},
        name=char(),
    ),
    "remove": simple(
        migrations.RemoveField("thing", "code"),
        old={**N, "code": "c"},
        new=N,
        name=char(),
        code=char(),
    ),
    "rename": simple(
        migrations.RenameField("thing", "name", "title"),
        old=N,
        new={"title": "n"},
        name=char(),
    ),
    "longer": simple(
        migrations.AlterField("thing", "name", char(max_length=40)),
        old=N,
        new={"name": "short"},
        name=char(),
    ),
    "longer_used": simple(
        migrations.AlterField("thing", "name", char(max_length=40)),
        old=N,
        new={"name": LONG},
        name=char(),
    ),
    "shorter": simple(
        migrations.AlterField("thing", "name", char(max_length=5)),
        old=N,
        new=N,
        name=char(),
    ),
    "shorter_violated": simple(
        migrations.AlterField("thing", "name", char(max_length=5)),
        old={"name": "n" * 9},
        new=N,
        name=char(),
    ),
    "to_not_null": simple(
        migrations.AlterField("thing", "name", char(default="d")),
        old={"name": None},
        new=N,
        name=char(null=True),
    ),
    "to_null": simple(
        migrations.AlterField("thing", "name", char(null=True)),
        old=N,
        new=N,
        name=char(default="d"),
    ),
    "choices": simple(
        migrations.AlterField("thing", "name", char(choices=[("n", "N"), ("m", "M")])),
        old=N,
        new={"name": "m"},
        name=char(choices=[("n", "N")]),
    ),
    "type_fits": simple(
        migrations.AlterField("thing", "size", models.FloatField()),
        old={"size": Int64(1)},
        new={"size": 1.0},
        size=integer(),
    ),
    "type_violated": simple(
        migrations.AlterField("thing", "size", char()),
        old={"size": Int64(1)},
        new={"size": "1"},
        size=integer(),
    ),
    "db_column": simple(
        migrations.AlterField("thing", "name", char(db_column="label")),
        old=N,
        new={"label": "n"},
        name=char(),
    ),
    "add_check": simple(
        migrations.AddConstraint(
            "thing", models.CheckConstraint(condition=Q(size__gte=0), name="size_positive")
        ),
        old={"size": Int64(1)},
        new={"size": Int64(1)},
        size=integer(),
    ),
    "remove_check": Case(
        initial=[
            model(
                "Thing",
                size=integer(),
                options={
                    "constraints": [
                        models.CheckConstraint(condition=Q(size__gte=0), name="size_not_negative")
                    ]
                },
            )
        ],
        change=[migrations.RemoveConstraint("thing", "size_not_negative")],
        old={"thing": [{"size": Int64(1)}]},
        new={"thing": [{"size": Int64(-1)}]},
    ),
    "unique_together": simple(
        migrations.AlterUniqueTogether("thing", {("name", "code")}),
        old={"name": "old", "code": "c"},
        new={"name": "new", "code": "c"},
        name=char(),
        code=char(),
    ),
    "unique_field": simple(
        migrations.AlterField("thing", "name", char(unique=True)),
        old={"name": "old"},
        new={"name": "new"},
        name=char(),
    ),
    "add_index": simple(
        migrations.AddIndex("thing", models.Index(fields=["name"], name="by_name")),
        old=N,
        new=N,
        name=char(),
    ),
    "add_remove_index": Case(
        initial=[
            thing(name=char()),
            migrations.AddIndex("thing", models.Index(fields=["name"], name="by_name_first")),
        ],
        change=[
            migrations.RemoveIndex("thing", "by_name_first"),
            migrations.AlterModelOptions("thing", {"verbose_name": "something"}),
        ],
        old={"thing": [N]},
        new={"thing": [N]},
    ),
    "closed_add": simple(
        migrations.AddField("thing", "size", integer(default=3)),
        old=N,
        new={**N, "size": Int64(1)},
        name=char(),
        closed=True,
    ),
    "closed_remove": simple(
        migrations.RemoveField("thing", "code"),
        old={**N, "code": "c"},
        new=N,
        name=char(),
        code=char(),
        closed=True,
    ),
    "closed_rename": simple(
        migrations.RenameField("thing", "name", "title"),
        old=N,
        new={"title": "n"},
        name=char(),
        closed=True,
    ),
    "there_and_back": Case(
        # The rules are the same before and after, the documents are not in between.
        initial=[thing(name=char(default="d"))],
        change=[
            migrations.AddField("thing", "title", char(default="d")),
            migrations.RemoveField("thing", "name"),
            migrations.RenameField("thing", "title", "name"),
            migrations.AlterField("thing", "name", char(default="d", db_column="label")),
            migrations.AlterField("thing", "name", char(default="d")),
        ],
        old={"thing": [N]},
        new={"thing": [N]},
        closed=True,
    ),
}
