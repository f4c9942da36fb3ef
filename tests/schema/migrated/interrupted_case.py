"""An app whose migrations can be killed anywhere and run again."""

from __future__ import annotations

from typing import Any

from bson import Int64
from django.db import migrations, models
from django.db.models import Q

from tests.schema.migrated.building import Case, N, char, integer, model, thing


def fill_title(registry: Any, editor: Any) -> None:
    things = editor.connection.database.interrupted_thing
    things.update_many({"size": 3}, {"$set": {"title": "t" * 25}})


INTERRUPTED = Case(
    # All of it can be run twice: Django does not know how far a migration had come.
    initial=[thing(name=char(), code=char(default="c")), model("Tag", name=char())],
    change=[
        migrations.AddField("thing", "size", integer(default=3)),
        migrations.RenameField("thing", "name", "title"),
        migrations.RemoveField("thing", "code"),
        migrations.AddField("tag", "kind", char(default="a")),
    ],
    old={"thing": [{"name": "n", "code": "c"}], "tag": [N]},
    new={"thing": [{"title": "n", "size": Int64(4)}], "tag": [{**N, "kind": "b"}]},
    closed=True,
)
INTERRUPTED_LATER = [
    migrations.AlterField("thing", "title", char(max_length=30)),
    migrations.RunPython(fill_title, migrations.RunPython.noop),
    migrations.AddConstraint(
        "thing", models.CheckConstraint(condition=Q(size__gte=0), name="size_is_positive")
    ),
]
