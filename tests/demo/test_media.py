"""Files of the demo: stored with the document that points to them, or not at all, and served."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.demo.conftest import Demo

UPLOAD = """
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from demo_project.archive.models import Medium, Note

note = Note.objects.filter(status="published").first()
client = Client(raise_request_exception=False, SERVER_NAME="localhost")
data = {"file": SimpleUploadedFile("field.txt", b"otters " * 100_000, "text/html")}

def left():
    bucket = default_storage.bucket
    return [
        Medium.objects.count(), bucket.files.count_documents({}),
        bucket.chunks.count_documents({}), bucket.uploads.count_documents({}),
    ]

before = left()
answer = client.post(f"/notes/{note.pk}/media/PATH", data)
after = left()
result = {"status": answer.status_code, "grown": [b - a for a, b in zip(before, after)]}
medium = Medium.objects.filter(filename="field.txt").first()
if medium is not None:
    stored = default_storage.stored(medium.file.name)
    served = client.get(medium.file.url, headers={"range": "bytes=7-12"})
    medium.file.delete(save=False)
    medium.delete()
    result |= {
        "type": medium.content_type, "size": medium.size,
        "same": medium.checksum == stored.sha256,
        "part": [served.status_code, served.getvalue().decode()],
    }
"""


@pytest.fixture
def clean(demo: Demo) -> Iterator[None]:
    yield
    assert demo.database.archive_medium.count_documents({"filename": "field.txt"}) == 0


def upload(demo: Demo, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = demo.run(UPLOAD.replace("PATH", path))
    return found


def test_an_upload_is_a_file_and_a_document(demo: Demo, clean: None) -> None:
    found = upload(demo)
    assert found["status"] == 302
    assert found["grown"] == [1, 1, 3, 0]
    assert (found["type"], found["size"], found["same"]) == ("text/plain", 700_000, True)
    assert found["part"] == [206, "otters"]


def test_an_upload_whose_page_fails_leaves_nothing(demo: Demo, clean: None) -> None:
    found = upload(demo, "fail/")
    assert found == {"status": 500, "grown": [0, 0, 0, 0]}


def test_seeded_plates_are_what_their_documents_say(demo: Demo) -> None:
    code = """
import hashlib
from demo_project.archive.models import Medium
result = [
    len(data) == medium.size and hashlib.sha256(data).hexdigest() == medium.checksum
    for medium in Medium.objects.exclude(file="")
    for data in [medium.file.read()]
]
"""
    assert demo.run(code) == [True] * 60
