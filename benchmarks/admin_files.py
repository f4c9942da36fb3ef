"""The pages about a bucket of 1,000,000 files, and the queries that they need.

The bare queries read as much as the page shows, at the same position: for the last page of a list,
they begin behind the same file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bson import Int64, MinKey, ObjectId
from pymongo.database import Database

from benchmarks.page_visits import Visit, visit

if TYPE_CHECKING:
    from django.test import Client

FILES = 1_000_000
PER_PAGE = 100
CONTENT = b"x" * 20_000
"""The content of the only file that has content."""
TYPES = ("image/jpeg", "image/png", "application/pdf", "text/plain", "video/mp4", "audio/wav")
START = dt.datetime(2022, 1, 1, tzinfo=dt.UTC)
BUCKET = "media"
BY_NAME = [("filename", 1), ("uploadDate", 1)]

Document = dict[str, Any]


def file_id(number: int) -> ObjectId:
    seconds = int((START + dt.timedelta(seconds=number * 150)).timestamp())
    return ObjectId(seconds.to_bytes(4, "big") + number.to_bytes(8, "big"))


def filename(number: int) -> str:
    return f"media/{number % 1000:03}/{number:07}.dat"


def fill(database: Database[Document]) -> None:
    files, chunks = database[f"{BUCKET}.files"], database[f"{BUCKET}.chunks"]
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


def pages(database: Database[Document], client: Client) -> Mapping[str, Visit]:
    from django.contrib.admin.utils import quote

    from djongo_services.admin.files.listing import ListPosition
    from djongo_services.admin.files.totals import begin_count, count_and_keep

    begin_count(database, BUCKET, by="root")
    count_and_keep(database, BUCKET)
    root = "/admin/djongo_services/file/"
    bucket = f"{root}{quote(f'default/{BUCKET}')}/"
    one = f"{root}{quote(f'default/{BUCKET}/{file_id(FILES // 2)}')}/"
    behind = ListPosition(values=(file_id(PER_PAGE),)).token
    last_name = filename(FILES - 1)
    date = START + dt.timedelta(seconds=(FILES - 1) * 150)
    named = ListPosition(values=(last_name, date), skip=0).token

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
        "rename a file": f"{one}rename/",
        "replace a file": f"{one}replace/",
        "delete a file?": f"{one}delete/",
        "upload": f"{root}add/",
    }
    return {name: visit(client, url) for name, url in urls.items()}


def bare(database: Database[Document]) -> Mapping[str, Visit]:
    """The same data from the server, without any processing."""
    files, chunks = database[f"{BUCKET}.files"], database[f"{BUCKET}.chunks"]
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
    return {
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
        "collector": lambda: list(database[f"{BUCKET}.gc"].find().limit(20)),
        "one file": one,
        "rename a file": lambda: files.find_one({"_id": middle}),
        "replace a file": lambda: files.find_one({"_id": middle}),
        "delete a file?": one,
        "upload": database.list_collection_names,
        "its bytes": lambda: (files.find_one({"_id": middle}), list(chunks.find({"n": 0}))),
    }
