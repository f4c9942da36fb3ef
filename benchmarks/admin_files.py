"""The admin's pages of a bucket of a million files, beside the bare queries that they make.

A page is a whole request to Django, from the URL to the HTML, as in :mod:`benchmarks.admin`. The
bare queries ask for as much as the page shows, where it shows it: for the last page of a list they
begin behind the same file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from bson import Int64, MinKey, ObjectId
from pymongo import MongoClient
from pymongo.database import Database

from benchmarks.admin import DATABASE, Visit, _configure, _interleaved, _row

FILES = 1_000_000
PER_PAGE = 100
CONTENT = b"x" * 20_000
"""Of the one file that has any."""
TYPES = ("image/jpeg", "image/png", "application/pdf", "text/plain", "video/mp4", "audio/wav")
START = dt.datetime(2022, 1, 1, tzinfo=dt.UTC)
BY_NAME = [("filename", 1), ("uploadDate", 1)]

Document = dict[str, Any]


def run(uri: str, repeats: int) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.admin_files", uri, str(repeats)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return rows


def measured(uri: str, repeats: int) -> list[dict[str, Any]]:
    _configure(uri)
    with MongoClient[Document](uri, tz_aware=True) as client:
        client.drop_database(DATABASE)
        _fill(client[DATABASE])
        try:
            pages = _pages(client[DATABASE])
            seconds = _interleaved({**pages, **_bare(client[DATABASE])}, repeats)
        finally:
            client.drop_database(DATABASE)
    return [_row(name, seconds) for name in pages]


def file_id(number: int) -> ObjectId:
    seconds = int((START + dt.timedelta(seconds=number * 150)).timestamp())
    return ObjectId(seconds.to_bytes(4, "big") + number.to_bytes(8, "big"))


def filename(number: int) -> str:
    return f"media/{number % 1000:03}/{number:07}.dat"


def _fill(database: Database[Document]) -> None:
    files, chunks = database["media.files"], database["media.chunks"]
    files.create_index(BY_NAME)
    chunks.create_index([("files_id", 1), ("n", 1)], unique=True)
    for start in range(0, FILES, 20_000):
        files.insert_many([_file(start + n) for n in range(20_000)], ordered=False)
    chunks.insert_one({"files_id": file_id(FILES // 2), "n": 0, "data": CONTENT})


def _file(number: int) -> Document:
    is_stored = number == FILES // 2
    content = CONTENT if is_stored else str(number).encode()
    metadata = {
        "contentType": TYPES[number * 7 % 6 if number % 5 else 0],
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return {
        "_id": file_id(number),
        "length": Int64(len(CONTENT) if is_stored else number * 37 % 5_000_000),
        "chunkSize": 255 * 1024,
        "uploadDate": START + dt.timedelta(seconds=number * 150),
        "filename": filename(number),
        "metadata": metadata,
    }


def _pages(database: Database[Document]) -> Mapping[str, Visit]:
    from django.contrib.admin.utils import quote
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    from djongo_services.admin.files.listing import Place
    from djongo_services.admin.files.totals import begin_count, count_and_keep

    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    begin_count(database, "media", by="root")
    count_and_keep(database, "media")
    root = "/admin/djongo_services/file/"
    bucket = f"{root}{quote('default/media')}/"
    one = f"{root}{quote(f'default/media/{file_id(FILES // 2)}')}/"
    behind = Place(values=(file_id(PER_PAGE),)).token
    last_name = filename(FILES - 1)
    date = START + dt.timedelta(seconds=(FILES - 1) * 150)
    named = Place(values=(last_name, date), skip=0).token

    def visit(url: str) -> Visit:
        def get() -> None:
            response = client.get(url)
            assert response.status_code == 200, response
            assert b"mongo-trouble" not in response.content, url

        return get

    urls = {
        "buckets": root,
        "files, first page": f"{bucket}files/",
        "files, last page": f"{bucket}files/?p={behind}",
        "files by name, first page": f"{bucket}files/?o=name",
        "files by name, last page": f"{bucket}files/?o=name&p={named}",
        "files whose name begins so": f"{bucket}files/?q=media/500/",
        "files of a type that is rare": f"{bucket}files/?type=x/y&size=huge",
        "totals": f"{bucket}totals/",
        "collector": f"{bucket}collector/",
        "one file": f"{one}change/",
        "its bytes": f"{one}raw/",
    }
    return {name: visit(url) for name, url in urls.items()}


def _bare(database: Database[Document]) -> Mapping[str, Visit]:
    """The same from the server, without anything done with it."""
    files, chunks = database["media.files"], database["media.chunks"]
    stats = [{"$collStats": {"storageStats": {}}}]
    middle = file_id(FILES // 2)
    edge = file_id(FILES - 50_000)

    def latest(query: Document) -> Any:
        return files.find(query).sort("_id", -1).limit(PER_PAGE)

    def one() -> object:
        return (
            files.find_one({"_id": middle}),
            list(files.find({"filename": filename(FILES // 2)})),
            chunks.count_documents({"files_id": middle}),
        )

    begins = {"filename": {"$gte": "media/500/", "$lt": "media/5000"}}
    rare = {"_id": {"$gt": edge}, "metadata.contentType": "x/y", "length": {"$gt": 10**8}}
    named = [("filename", filename(FILES - 1)), ("uploadDate", MinKey())]
    plain: dict[str, Visit] = {
        "buckets": lambda: (
            database.list_collection_names(),
            list(files.aggregate(stats)),
            list(chunks.aggregate(stats)),
        ),
        "files, first page": lambda: list(latest({})),
        "files, last page": lambda: list(latest({"_id": {"$lt": file_id(PER_PAGE)}})),
        "files by name, first page": lambda: list(files.find().sort(BY_NAME).limit(PER_PAGE)),
        "files by name, last page": lambda: list(
            files.find().hint(BY_NAME).min(named).sort(BY_NAME).limit(PER_PAGE)
        ),
        "files whose name begins so": lambda: list(
            files.find(begins).sort(BY_NAME).limit(PER_PAGE)
        ),
        "files of a type that is rare": lambda: list(latest(rare)),
        "totals": lambda: (list(files.aggregate(stats)), list(chunks.aggregate(stats))),
        "collector": lambda: list(database["media.gc"].find().limit(20)),
        "one file": one,
        "its bytes": lambda: (files.find_one({"_id": middle}), list(chunks.find({"n": 0}))),
    }
    return {f"{name}, bare": visit for name, visit in plain.items()}


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], int(sys.argv[2]))))
