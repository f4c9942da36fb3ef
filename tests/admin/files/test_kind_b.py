"""The pages of files of a project whose ORM is on SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pymongo.database import Database

from tests.conftest import RunDjango

CODE = """
import json
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
call_command("migrate", run_syncdb=True, verbosity=0)
names = sorted(Permission.objects.filter(content_type__model="file")
               .values_list("codename", flat=True))
from tests.admin.files.gallery.models import PICTURES, Picture
for number in range(12):
    picture = Picture(title=f"title {number}")
    picture.image.name = "a.png"
    picture.save()
uploaded = SimpleUploadedFile("a.png", b"words", "text/plain")
stored = PICTURES.stored(PICTURES.save("a.png", uploaded))
client = Client()
client.force_login(User.objects.create_superuser("root"))
root = "/admin/djongo_services/file/"
one = f"{root}archive_2Fmedia_2F{stored.id}/"
statuses = [client.get(path).status_code for path in (
    "/admin/", root, f"{root}add/", f"{root}archive_2Fmedia/files/", one + "change/",
    f"{root}archive_2Fmedia/totals/", f"{root}archive_2Fmedia/collector/", one + "history/",
    f"/admin/gallery/picture/{picture.pk}/change/", one + "raw/",
)]
html = client.get(one + "change/").content.decode()
referred = html.count('<li><a href="/admin/gallery/picture/'), "and more" in html
client.post(one + "delete/", {"fate": "trash"})
deleted = PICTURES.exists("a.png")
client.post(one + "restore/")
restored = PICTURES.exists("a.png")
log = client.get(one + "history/").content.decode()
print(json.dumps([names, statuses, referred, deleted, restored, "Restored from" in log]))
"""


def test_pages_references_and_log(
    django_sql: RunDjango, database: Database[Any], tmp_path: Path
) -> None:
    done = django_sql(
        code=CODE,
        settings="tests.admin.files.settings_sql",
        env={
            "ADMIN_TEST_DATABASE": database.name,
            "ADMIN_TEST_SQLITE": str(tmp_path / "db.sqlite3"),
        },
    )
    assert done.returncode == 0, done.stderr
    names, statuses, referred, deleted, restored, logged = json.loads(done.stdout.splitlines()[-1])
    assert names == ["add_file", "change_file", "delete_file", "view_file"]
    assert statuses == [200] * 10
    assert referred == [10, True]
    assert (deleted, restored, logged) == (False, True, True)
