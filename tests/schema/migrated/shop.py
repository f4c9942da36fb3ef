"""The app ``shop``: its models before and after a change, and the migrations between them."""

from __future__ import annotations

from bson import Int64

from tests.schema.migrated.made_project import MadeProject

MODELS = """
from django.db import models
from djongo_services.schema.options import collection_options

@collection_options(closed=True)
class Book(models.Model):
    title = models.CharField(max_length={length})
    {column}
    country = models.CharField(max_length=2, choices=[{choices}])
"""
OLD = MODELS.format(
    length=10, column='code = models.CharField(max_length=5, default="c")', choices='("FI", "FI")'
)
NEW = MODELS.format(
    length=99,
    column="pages = models.IntegerField(default=1)",
    choices='("FI", "FI"), ("SE", "SE")',
)
SHORT = OLD.replace("max_length=10", "max_length=3")
MIGRATION = """
import django_mongodb_backend.fields
from django.db import migrations, models

def write(apps, editor):
    editor.connection.database.shop_book.update_many({{}}, {{"$set": {{"a": 3}}}})

def fail(apps, editor):
    raise ValueError("on purpose")

def wait(apps, editor):
    database = editor.connection.database
    with database.signals.watch() as signals:
        database.ready.insert_one({{}})
        next(signals)

class Migration(migrations.Migration):
    dependencies = [{dependencies}]
    operations = [{operations}]
"""
INITIAL = """migrations.CreateModel("Book", [
    ("id", django_mongodb_backend.fields.ObjectIdAutoField(primary_key=True)),
    ("title", models.CharField(max_length=10)),
    ("code", models.CharField(max_length=5, default="c")),
    ("country", models.CharField(choices=[("FI", "FI")], max_length=2)),
])"""
TO_NEW = """
    migrations.RemoveField("book", "code"),
    migrations.AddField("book", "pages", models.IntegerField(default=1)),
    migrations.AlterField("book", "title", models.CharField(max_length=99)),
    migrations.AlterField("book", "country", models.CharField(
        choices=[("FI", "FI"), ("SE", "SE")], max_length=2)),
"""
TO_SHORT = 'migrations.AlterField("book", "title", models.CharField(max_length=3))'
OLD_BOOK = {"title": "Kalevala", "code": "k", "country": "FI"}
NEW_BOOK = {"title": "Kalevala, the new one", "pages": Int64(9), "country": "FI"}


def migration(
    project: MadeProject, name: str, operations: str, after: str = "0001_initial"
) -> None:
    dependencies = "" if name == "0001_initial" else f'("shop", "{after}")'
    text = MIGRATION.format(dependencies=dependencies, operations=operations)
    project.write(f"migrations/{name}.py", text)


def change(project: MadeProject, models: str = NEW, operations: str = TO_NEW) -> None:
    project.write("models.py", models)
    migration(project, "0002_change", operations)
