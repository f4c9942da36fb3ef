"""FileField and ImageField of models in MongoDB, and of models in SQL beside it."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.images import get_image_dimensions
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import models
from django.forms import modelform_factory
from django.test.utils import isolate_apps
from PIL import Image
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage
from tests.conftest import RunDjango

pytestmark = pytest.mark.django_db(transaction=True)


def png(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height)).save(target, "PNG")
    return target.getvalue()


@pytest.fixture
def bucket_name(settings: Any) -> Iterator[str]:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    name = f"fs_{uuid.uuid4().hex}"
    yield name
    for kind in ("files", "chunks"):
        connections["default"].database[f"{name}.{kind}"].drop()


@pytest.fixture
def picture(bucket_name: str) -> Iterator[Any]:
    """A model with a file and an image, whose size is kept in the row."""
    storage = GridFSStorage(bucket_name)
    with isolate_apps("tests.backend_app"):

        class Picture(models.Model):
            title = models.CharField(max_length=20)
            file = models.FileField(storage=storage, upload_to="docs", max_length=30, blank=True)
            image = models.ImageField(
                storage=storage,
                upload_to="images",
                height_field="height",
                width_field="width",
                blank=True,
            )
            height = models.IntegerField(null=True, blank=True)
            width = models.IntegerField(null=True, blank=True)

            class Meta:
                app_label = "backend_app"
                db_table = f"t_{bucket_name}"

        yield Picture
        connections["default"].database[f"t_{bucket_name}"].drop()


def test_dimensions(picture: Any) -> None:
    made = picture.objects.create(image=ContentFile(png(30, 20), name="a.png"))
    found = picture.objects.get(pk=made.pk)
    assert (found.width, found.height) == (30, 20)
    assert (found.image.width, found.image.height) == (30, 20)
    with found.image.open() as image:
        assert get_image_dimensions(image) == (30, 20)
        assert Image.open(image).size == (30, 20)
    found = picture.objects.get(pk=made.pk)
    found.image = ContentFile(png(5, 6), name="b.png")
    found.save()
    found = picture.objects.get(pk=made.pk)
    assert (found.image.name, found.width, found.height) == ("images/b.png", 5, 6)
    found.image.delete()
    assert (found.width, found.height) == (None, None)
    assert picture.objects.get(pk=made.pk).image.name in ("", None)


def test_a_field_file(picture: Any) -> None:
    row = picture(title="a")
    row.file.save("a.txt", ContentFile(b"content"))
    assert (row.file.name, row.file.size) == ("docs/a.txt", 7)
    found = picture.objects.get(pk=row.pk)
    assert found.file.read() == b"content"
    found.file.close()
    assert found.file.closed
    with found.file.open() as file:
        assert file.read() == b"content"
    with found.file.open("r") as file:
        assert file.read() == "content"
    with found.file.open("ab") as file:
        file.write(b"!")
    assert picture.objects.get(pk=row.pk).file.read() == b"content!"
    found.file.delete()
    assert not found.file
    with pytest.raises(ValueError, match="no file associated"):
        found.file.open()


def test_max_length_of_the_field(picture: Any) -> None:
    for _ in range(2):
        row = picture(title="a")
        row.file.save("x" * 100 + ".txt", ContentFile(b"content"))
        assert len(row.file.name) <= 30
        assert row.file.name.endswith(".txt")


def test_names_that_forms_send(picture: Any) -> None:
    Form: Any = modelform_factory(picture, fields=["title", "file"])
    for sent, kept in [
        ("../../etc/passwd", "docs/passwd"),
        ("a\\b\\c.txt", "docs/a/b/c.txt"),
        ("ä b.txt", "docs/ä_b.txt"),
    ]:
        form = Form({"title": "a"}, {"file": SimpleUploadedFile(sent, b"content")})
        assert form.is_valid(), form.errors
        row = form.save()
        assert row.file.name == kept
        assert row.file.read() == b"content"
    with pytest.raises(SuspiciousFileOperation):
        picture(title="a").file.save("..", ContentFile(b"content"))


def test_an_image_that_is_none(picture: Any) -> None:
    Form: Any = modelform_factory(picture, fields=["title", "image"])
    form = Form({"title": "a"}, {"image": SimpleUploadedFile("a.png", b"no image")})
    assert not form.is_valid()
    assert "image" in form.errors


def test_a_model_in_sql(django_sql: RunDjango, database: Database[Any]) -> None:
    """Then the file is stored at once, as any other storage does."""
    done = django_sql(
        code=f"""
from django.core.files.base import ContentFile
from django.db import connection, models
from djongo_services.connections import connections
from djongo_services.storage import GridFSStorage

class Document(models.Model):
    file = models.FileField(storage=GridFSStorage("{database.name}"))
    class Meta:
        app_label = "auth"

with connection.schema_editor() as editor:
    editor.create_model(Document)
row = Document.objects.create(file=ContentFile(b"content", name="a.txt"))
print(Document.objects.get(pk=row.pk).file.read(), row.file.url)
row.file.delete(save=False)
mongo = connections["default"].database
print(mongo["{database.name}.chunks"].count_documents({{}}))
mongo["{database.name}.chunks"].drop()
mongo["{database.name}.files"].drop()
"""
    )
    assert (done.returncode, done.stdout) == (0, "b'content' /a.txt\n0\n"), done.stderr
