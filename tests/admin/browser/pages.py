"""Every page of the admin that a person reads, over the demo's data, and how it is found."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.utils import quote
from pymongo import DESCENDING
from pymongo.database import Database

COLLECTIONS = "/admin/djongo_services/collection/"
FILES = "/admin/djongo_services/file/"
BUCKET = f"{FILES}default_2Fmedia/"
TORN = "659200804a554e4b00000007"
"""The id of the broken file."""

Mongo = Database[dict[str, Any]]


def of(name: str, tab: str = "change") -> str:
    """A page about a collection."""
    return f"{COLLECTIONS}default_2F{name.replace('_', '_5F')}/{tab}/"


def of_file(id: Any, page: str = "change") -> str:
    return f"{FILES}{quote(f'default/media/{id}')}/{page}/"


@dataclass(frozen=True, kw_only=True)
class Page:
    name: str
    path: str | Callable[[Mongo], str]
    words: str
    """A text on the page, also without scripts."""

    def url(self, database: Mongo) -> str:
        return self.path if isinstance(self.path, str) else self.path(database)


def _run(page: str = "") -> Callable[[Mongo], str]:
    def path(database: Mongo) -> str:
        run = database.djongo_services_runs.find_one(sort=[("_id", DESCENDING)])
        assert run is not None
        return f"{COLLECTIONS}runs/{run['_id']}/{page}?connection=default"

    return path


def _file(ending: str, page: str = "change") -> Callable[[Mongo], str]:
    def path(database: Mongo) -> str:
        ends_so = {"filename": {"$regex": rf"^plates/plate-.*\.{ending}$"}}
        found = database["media.files"].find_one(ends_so)
        assert found is not None
        return of_file(found["_id"], page)

    return path


def _trashed(database: Mongo) -> str:
    found = database["media.trash"].find_one()
    assert found is not None
    return of_file(found["_id"])


def _index(action: str, name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return of("archive_note", f"index/{digest}/{action}")


PAGES = (
    Page(name="landing", path="/", words="What do the documents look like?"),
    Page(name="dashboard", path=COLLECTIONS, words="archive_note"),
    Page(name="dashboard-differs", path=f"{COLLECTIONS}?state=differs", words="archive_note"),
    Page(name="indexes", path=of("archive_note"), words="author_recorded_by_hand"),
    Page(
        name="index-declare",
        path=_index("declare", "author_recorded_by_hand"),
        words="class Meta:",
    ),
    Page(name="index-drop", path=_index("drop", "keywords_by_hand"), words="To confirm"),
    Page(name="documents", path=of("legacy_cards", "documents"), words="handled_by"),
    Page(
        name="documents-json",
        path=of("archive_note", "documents") + "?show=relaxed&f=title&o=begins&v=M&f=tags&o=exists",
        words='"title"',
    ),
    Page(
        name="documents-none",
        path=of("archive_note", "documents") + "?f=title&o=begins&v=zzzz",
        words="No document matches.",
    ),
    Page(
        name="document",
        path=of("legacy_cards", "document") + "?id=EAYAAAA",
        words="Cave drawings",
    ),
    Page(name="schema", path=of("legacy_cards", "schema"), words="handled_by"),
    Page(name="schema-none", path=of("auth_group", "schema"), words="No profile yet."),
    Page(name="values", path=of("archive_note", "schema") + "?values=1", words='"published"'),
    Page(name="changes", path=of("legacy_cards", "schema/changes"), words="shelf"),
    Page(
        name="changes-none",
        path=of("specimens", "schema/changes"),
        words="There is no earlier profile yet.",
    ),
    Page(name="validator", path=of("specimens", "validator"), words="has at least 1 character"),
    Page(
        name="validator-of-models",
        path=of("archive_loan", "validator"),
        words="keeps the constraint loan_deposit_positive",
    ),
    Page(
        name="validator-none",
        path=of("legacy_cards", "validator"),
        words="The collection has no validator",
    ),
    Page(name="plan", path=of("archive_loan", "plan"), words="loan_deposit_due"),
    Page(name="plan-none", path=of("legacy_cards", "plan"), words="No model declares"),
    Page(name="whole-plan", path=f"{COLLECTIONS}plan/", words="loan_deposit_due"),
    Page(name="apply", path=f"{COLLECTIONS}plan/apply/", words="To confirm"),
    Page(name="runs", path=f"{COLLECTIONS}runs/", words="validator"),
    Page(name="run", path=_run(), words="Roll back"),
    Page(name="rollback", path=_run("rollback/"), words="Roll back a run"),
    Page(name="transactions", path="/admin/djongo_services/transaction/", words="Last hour"),
    Page(name="buckets", path=FILES, words="files"),
    Page(name="files", path=f"{BUCKET}files/?q=plates/plate-00001", words="plate-000010"),
    Page(name="files-trash", path=f"{BUCKET}files/?state=trash", words="superseded"),
    Page(name="totals", path=f"{BUCKET}totals/", words="application/pdf"),
    Page(name="collector", path=f"{BUCKET}collector/", words="Find garbage"),
    Page(name="file", path=_file("jpg"), words="Referred to by"),
    Page(name="file-sound", path=_file("wav"), words="Referred to by"),
    Page(name="file-document", path=_file("pdf"), words="Referred to by"),
    Page(name="file-broken", path=of_file(TORN), words="The file is broken"),
    Page(name="file-trashed", path=_trashed, words="in the trash since"),
    Page(name="rename", path=_file("jpg", "rename"), words="New name"),
    Page(name="replace", path=_file("jpg", "replace"), words="The current content"),
    Page(name="delete", path=_file("jpg", "delete"), words="Move to the trash"),
    Page(name="upload", path=f"{FILES}add/", words="Storage or bucket"),
)
