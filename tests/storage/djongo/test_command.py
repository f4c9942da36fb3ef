"""``manage.py move_djongo_files``."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.lease import Lease
from djongo_services.storage import GridFSStorage
from djongo_services.storage.djongo.moving import LEASE
from tests.storage.djongo.conftest import Put

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Result:
    code: int
    stdout: str
    stderr: str


def run(*args: str) -> Result:
    stdout, stderr = io.StringIO(), io.StringIO()
    try:
        call_command("move_djongo_files", *args, stdout=stdout, stderr=stderr, verbosity=0)
    except CommandError as error:
        return Result(error.returncode, stdout.getvalue(), str(error))
    return Result(0, stdout.getvalue(), stderr.getvalue())


@pytest.fixture
def new(connected: Database[Any], settings: Any, tmp_path: Any) -> GridFSStorage:
    settings.STORAGES = {
        **settings.STORAGES,
        "media": {"BACKEND": "djongo_services.storage.GridFSStorage"},
        "disk": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    }
    return GridFSStorage()


def test_a_dry_run_and_a_run(new: GridFSStorage, put: Put) -> None:
    put("a.txt", b"x" * 1200)
    put("photos/a.txt", b"1")
    put("photos/a.txt", b"22")
    assert run("media", "--dry-run") == Result(
        0,
        "storage -> no folder: 1 to move (1.2 kB)\n"
        "storage.photos -> photos/: 1 to move (2 B), 1 older revision not copied\n"
        "\n"
        "2 files (1.2 kB) would be moved.\n",
        "",
    )
    assert not new.exists("a.txt")
    assert run("media") == Result(
        0,
        "storage -> no folder: 1 moved (1.2 kB)\n"
        "storage.photos -> photos/: 1 moved (2 B), 1 older revision not copied\n"
        "\n"
        "2 files (1.2 kB) moved.\n",
        "",
    )
    assert new.open("photos/a.txt").read() == b"22"
    assert run("media", "--delete-originals").stdout == (
        "storage -> no folder: 0 moved (0 B), 1 moved before, 1 deleted\n"
        "storage.photos -> photos/: 0 moved (0 B), 1 moved before, 1 older revision not copied, "
        "2 deleted\n"
        "\n"
        "0 files (0 B) moved, 2 moved before, 3 originals deleted.\n"
    )
    assert run("media").stdout == "No files found.\n\n0 files (0 B) moved.\n"


def test_what_stays_is_trouble(new: GridFSStorage, put: Put) -> None:
    id = put("a\x1b[31m.txt", b"old")
    new.save("a\x1b[31m.txt", ContentFile(b"new"))
    result = run("media")
    assert result.stdout.splitlines()[:2] == [
        "storage -> no folder: 0 moved (0 B), 1 stayed",
        f"  a\\x1b[31m.txt ({id}): The new storage has another file of its name.",
    ]
    assert (result.code, result.stderr) == (
        2,
        "1 file stayed where djongo left it; the report says why.",
    )


def test_as_json(new: GridFSStorage, put: Put) -> None:
    id = put("photos/a.txt", b"old", collection="media")
    put("photos/b.txt", b"123", collection="media")
    new.save("pictures/a.txt", ContentFile(b"new"))
    arguments = ("--collection", "media", "--folder", "photos=pictures")
    result = run("media", "--format", "json", *arguments)
    assert json.loads(result.stdout) == {
        "format_version": 1,
        "dry_run": False,
        "interrupted": False,
        "moved": 1,
        "moved_bytes": 3,
        "already": 0,
        "deleted": 0,
        "stayed": 1,
        "buckets": [
            {
                "bucket": "media.photos",
                "folder": "pictures/",
                "moved": 1,
                "moved_bytes": 3,
                "already": 0,
                "older": 0,
                "deleted": 0,
                "stayed": 1,
                "problems": [
                    {
                        "name": "pictures/a.txt",
                        "id": str(id),
                        "reason": "The new storage has another file of its name.",
                    }
                ],
            }
        ],
    }


def test_below_a_location(new: GridFSStorage, put: Put) -> None:
    put("site/a.txt", b"abc")
    assert run("media", "--location", "site").code == 0
    assert new.exists("a.txt")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("nowhere",),
            "STORAGES has no alias 'nowhere'; its aliases are 'default', 'staticfiles', 'media', "
            "'disk'.",
        ),
        (
            ("fs",),
            "STORAGES has no alias 'fs'. The storage with the bucket 'fs' is 'media'; run "
            "move_djongo_files media.",
        ),
        (
            ("disk",),
            "STORAGES['disk'] is of FileSystemStorage; files can be moved to a "
            "djongo_services.storage.GridFSStorage.",
        ),
        (
            ("media", "--folder", "v1.2"),
            "--folder is BUCKET=FOLDER, such as v1.2=v1.2, not 'v1.2'.",
        ),
        (
            ("media", "--folder", "v1.2=v1.2"),
            "There is no bucket storage.v1.2 to move files from.",
        ),
        (
            ("media", "--collection", "$x"),
            "A DjongoGridFSStorage cannot have '$x' in the name of its collections.",
        ),
    ],
)
def test_wrong_arguments(new: GridFSStorage, arguments: tuple[str, ...], sentence: str) -> None:
    assert run(*arguments) == Result(2, "", sentence)


def test_the_example_of_the_docs(connected: Database[Any], settings: Any, put: Put) -> None:
    """With the STORAGES that the same page begins with."""
    page = (ROOT / "docs" / "files.md").read_text()
    configured: dict[str, Any] = {}
    block = page.split("```python\n")[1].split("```")[0]
    exec(block.split("MEDIA_URL")[0], configured)
    settings.STORAGES = configured["STORAGES"]
    put("a.txt", b"x" * 1200)
    put("photos/a.txt", b"1")
    put("photos/a.txt", b"22")
    command, _, output = page.split("$ python manage.py move_djongo_files ")[1].partition("\n")
    result = run(*command.split())
    assert (result.code, result.stdout) == (0, output.split("```")[0])
    assert run(command.split()[0]).code == 0
    assert connected["media.files"].count_documents({}) == 2


def test_another_run_is_at_work(new: GridFSStorage, put: Put) -> None:
    put("a.txt", b"abc")
    with Lease(connections["default"].database, LEASE, doing="moving files"):
        result = run("media")
    assert result.code == 3
    assert result.stderr.startswith("Another run is moving files: process ")


def test_ctrl_c_in_the_middle(
    new: GridFSStorage, put: Put, database: Database[Any], mongodb_server: Any
) -> None:
    for number in range(3):
        put(f"{number}.txt", b"x" * 600_000)
    code = """
import os, signal
import django; django.setup()
from djongo_services.storage.djongo import moving
copy = moving.copy
def interrupted(*args):
    copy(*args)
    os.kill(os.getpid(), signal.SIGINT)
moving.copy = interrupted
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "move_djongo_files", "default"])
"""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.storage.serving.settings",
        "SERVED_URI": mongodb_server.uri,
        "SERVED_DATABASE": database.name,
        "SERVED_MIDDLEWARE": "[]",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + signal.SIGINT
    assert "1 file (600.0 kB) moved." in done.stdout
    assert done.stderr.splitlines()[-1] == (
        "CommandError: Interrupted: copied files are kept; run the command again to continue."
    )
    assert new.bucket.files.count_documents({}) == 1
    assert run("media").stdout.endswith("2 files (1.2 MB) moved, 1 moved before.\n")
