"""An app whose migrations do all that the schema editor can."""

from __future__ import annotations

from bson import Int64
from django.db import migrations, models
from django.db.models import Q
from django_mongodb_backend.fields import EmbeddedModelArrayField, EmbeddedModelField
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.operations import ConvertField
from tests.schema.migrated.building import Case, char, integer, model

PART = {"street": "s"}
CHANGED = Case(
    initial=[
        migrations.CreateModel("Part", [("street", char())], bases=(EmbeddedModel,)),
        model(
            "Thing",
            name=char(unique=True),
            size=integer(),
            code=char(default="c"),
            days=char(null=True),
            part=EmbeddedModelField("changed.part", null=True),
            parts=EmbeddedModelArrayField("changed.part", null=True),
        ),
        model("Note", thing=models.ForeignKey("changed.thing", models.CASCADE, null=True)),
    ],
    change=[
        migrations.AlterUniqueTogether("thing", {("size", "name")}),
        migrations.RenameField("thing", "name", "title"),
        migrations.AlterField("thing", "size", char()),
        ConvertField("thing", "days", integer(null=True), misfits="keep"),
        migrations.AddField("part", "number", integer(default=1)),
        migrations.RenameField("part", "street", "road"),
        migrations.RemoveField("thing", "code"),
        migrations.AlterModelTable("thing", "changed_item"),
    ],
    old={
        "thing": [
            {
                "name": "a",
                "size": Int64(1),
                "code": "c",
                "days": "3",
                "part": PART,
                "parts": [PART, PART],
            },
            {
                "name": "b",
                "size": Int64(22),
                "code": "c",
                "days": "soon",
                "part": None,
                "parts": [],
            },
        ],
        "note": [{"thing_id": None}],
    },
    new={
        "item": [
            {
                "title": "a",
                "size": "1",
                "days": Int64(3),
                "part": {"road": "r", "number": Int64(1)},
                "parts": [{"road": "r", "number": Int64(1)}],
            }
        ],
        "note": [{"thing_id": None}],
    },
)
CHANGED_LATER = [
    model("Other", name=char(unique=True), things=models.ManyToManyField("changed.thing")),
    migrations.AddConstraint(
        "thing", models.CheckConstraint(condition=~Q(title=""), name="title_is_not_empty")
    ),
    migrations.AlterUniqueTogether("thing", set()),
    migrations.AddIndex("thing", models.Index(fields=["size", "title"], name="by_size")),
]
