"""Packages that keep their own files on top of the storage: they work, and the collector treats
none of their files as garbage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.processes import python_path
from tests.storage.collector.by_hand import make_bucket, put

ROOT = Path(__file__).parents[3]

SETUP = """
import io, json, django
django.setup()
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from PIL import Image
from djongo_services.connections import connections
from tests.storage.packages.pictures.models import Picture

call_command("migrate", run_syncdb=True, verbosity=0)
files = connections["default"].database["media.files"]

def png(size=96):
    data = io.BytesIO()
    Image.effect_noise((size, size), 50).convert("RGB").save(data, "PNG")
    return ContentFile(data.getvalue(), "a.png")

def names():
    return sorted(each["filename"] for each in files.find())

def collected():
    out = io.StringIO()
    call_command("gridfs_gc", "--noinput", older_than="0s", format="json", stdout=out, verbosity=0)
    (bucket,) = json.loads(out.getvalue())["buckets"]
    return sorted(
        example["filename"] for found in bucket["found"] for example in found["examples"]
    )

def said(**facts):
    print(json.dumps(facts))
"""

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(database: Any, mongodb_server: Any, tmp_path: Path) -> Run:
    """``run("sorl", code)``: what it said in a project with that package."""
    make_bucket(database, "media")
    put(database, "site/garbage.png", bucket="media")

    def run(package: str, code: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-c", SETUP + code],
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "tests.storage.packages.project",
                "DJONGO_SERVICES_TEST_URI": mongodb_server.uri,
                "PACKAGES_PACKAGE": package,
                "PACKAGES_DATABASE": database.name,
                "PACKAGES_SQLITE": str(tmp_path / "db.sqlite3"),
                "PYTHONPATH": python_path(),
            },
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return facts

    return run


def test_easy_thumbnails(run: Run) -> None:
    facts = run(
        "easy_thumbnails",
        """
from easy_thumbnails.files import get_thumbnailer
picture = Picture()
picture.image.save("a.png", png())
thumbnailer = get_thumbnailer(picture.image)
thumbnail = thumbnailer.get_thumbnail({"size": (16, 16), "crop": True})
before = names()
gone = collected()
again = get_thumbnailer(Picture.objects.get().image).get_thumbnail({"size": (16, 16), "crop": True})
size = Image.open(default_storage.open(again.name)).size
thumbnailer.delete_thumbnails()
said(before=before, gone=gone, same=again.name == thumbnail.name, size=size, left=names())
""",
    )
    assert facts == {
        "before": [
            "site/garbage.png",
            "site/pictures/a.png",
            "site/pictures/a.png.16x16_q85_crop.jpg",
        ],
        "gone": ["site/garbage.png"],
        "same": True,
        "size": [16, 16],
        "left": ["site/pictures/a.png"],
    }


def test_sorl_thumbnail(run: Run) -> None:
    facts = run(
        "sorl",
        """
from sorl.thumbnail import delete, get_thumbnail
picture = Picture()
picture.image.save("a.png", png())
thumbnail = get_thumbnail(picture.image, "16x16", crop="center")
gone = collected()
size = Image.open(default_storage.open(thumbnail.name)).size
folder = thumbnail.name.split("/")[0]
delete(picture.image)
said(gone=gone, size=size, folder=folder, left=names())
""",
    )
    assert facts == {
        "gone": ["site/garbage.png"],
        "size": [16, 16],
        "folder": "cache",
        "left": [],
    }


def test_sorl_thumbnail_whose_keys_are_elsewhere(run: Run, database: Any) -> None:
    """In Redis, for example: no document in a database names its thumbnails."""
    facts = run(
        "sorl",
        """
from sorl.thumbnail import get_thumbnail
from sorl.thumbnail.models import KVStore
picture = Picture()
picture.image.save("a.png", png())
get_thumbnail(picture.image, "16x16")
KVStore.objects.all().delete()
said(gone=collected(), left=len(names()))
""",
    )
    assert facts == {"gone": ["site/garbage.png"], "left": 2}


def test_imagekit(run: Run) -> None:
    facts = run(
        "imagekit",
        """
from tests.storage.packages.specs.models import Portrait
portrait = Portrait()
portrait.image.save("a.png", png())
portrait.small.generate()
both = [portrait.image.name, portrait.small.name]
sizes = [Image.open(default_storage.open(name)).size for name in both]
said(gone=collected(), sizes=sizes, left=[each.rpartition("/")[0] for each in names()])
""",
    )
    assert facts == {
        "gone": ["site/garbage.png"],
        "sizes": [[64, 64], [16, 16]],
        "left": ["site/CACHE/images/portraits/a", "site/portraits"],
    }


def test_filer(run: Run) -> None:
    """Its rows choose among storages that are in no setting of Django's and in no field."""
    facts = run(
        "filer",
        """
from filer.models import Image as FilerImage
images = []
for is_public in (True, False):
    image = FilerImage(is_public=is_public, original_filename="a.png")
    image.file.save("a.png", png())
    image.save()
    images.append(FilerImage.objects.get(pk=image.pk))
thumbnails = [each.file.get_thumbnail({"size": (16, 16)}) for each in images]
for each in thumbnails:
    Image.open(each.storage.open(each.name)).load()
folders = sorted({"/".join(each.split("/")[:2]) for each in names()})
gone = collected()
images[1].is_public = True
images[1].save()
images[1].file.get_thumbnail({"size": (16, 16)})
moved = collected()
for each in FilerImage.objects.all():
    each.file.open().read()
    each.delete()
said(folders=folders, gone=gone, moved=moved, left=names())
""",
    )
    assert facts == {
        "folders": [
            "filer/private",
            "filer/private_thumbnails",
            "filer/public",
            "filer/public_thumbnails",
            "site/garbage.png",
        ],
        "gone": ["site/garbage.png"],
        "moved": [],
        "left": [],
    }


def test_import_export(run: Run) -> None:
    """Between the two steps of an import its file is named by the form alone; it is young."""
    facts = run(
        "import_export",
        """
from import_export import resources
from import_export.tmp_storages import MediaStorage
from tablib import Dataset
class PictureResource(resources.ModelResource):
    class Meta:
        model = Picture
picture = Picture()
picture.image.save("a.png", png())
exported = PictureResource().export()
kept = MediaStorage()
kept.save(exported.csv.encode())
out = io.StringIO()
call_command("gridfs_gc", "--noinput", format="json", stdout=out, verbosity=0)
later = MediaStorage(name=kept.name)
data = Dataset().load(later.read().decode(), format="csv")
result = PictureResource().import_data(data)
later.remove()
said(errors=result.has_errors(), rows=Picture.objects.count(), left=names())
""",
    )
    assert facts == {"errors": False, "rows": 1, "left": ["site/pictures/a.png"]}


def test_wagtail(run: Run) -> None:
    facts = run(
        "wagtail",
        """
from django.core.files.images import ImageFile
from wagtail.images.models import Image as WagtailImage
data = png()
image = WagtailImage(title="a", file=ImageFile(data, name="a.png"))
image.save()
rendition = image.get_rendition("fill-16x16")
size = Image.open(default_storage.open(rendition.file.name)).size
gone = collected()
folders = sorted({each.split("/")[1] for each in names()})
image.delete()
said(gone=gone, size=size, folders=folders, left=names())
""",
    )
    assert facts == {
        "gone": ["site/garbage.png"],
        "size": [16, 16],
        "folders": ["images", "original_images"],
        "left": [],
    }
