"""Who may see and do what with files: a table of users, pages and answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.admin.conftest import Page, Site
from tests.admin.files.conftest import LONG_AGO, Files, png
from tests.admin.test_permissions import GONE, SEES, answer, expected

USERS: dict[str, tuple[str, ...] | None] = {
    "anonymous": None,
    "nobody": (),
    "viewer": ("view_file",),
    "adder": ("add_file",),
    "changer": ("view_file", "change_file"),
    "deleter": ("view_file", "delete_file"),
    "only deletes": ("delete_file",),
    "collections": ("view_collection", "change_collection", "delete_collection"),
}

# Whoever may change may see, as everywhere in the admin.
V = ("viewer", "changer", "deleter", "root")
A = ("adder", "root")
C = ("changer", "root")
D = ("deleter", "root")

Visit = Callable[[Files], Page]


def post(page: str, **data: object) -> Visit:
    """Post to a page of the bucket."""
    return lambda files: files.post(files.url(page), follow=False, **data)


def post_file(page: str, id: str = "one", **data: object) -> Visit:
    return lambda files: files.post(files.file_url(id, page), follow=False, **data)


def new() -> SimpleUploadedFile:
    return SimpleUploadedFile("new.txt", b"new")


PAGES: dict[str, tuple[Visit, tuple[str, ...]]] = {
    "buckets": (lambda f: f.site.get(f.site.url("file_changelist")), V),
    "files": (lambda f: f.get(), V),
    "trash": (lambda f: f.get(state="trash"), V),
    "found": (lambda f: f.get(state="broken"), V),
    "totals": (lambda f: f.get("totals"), V),
    "collector": (lambda f: f.get("collector"), V),
    "progress": (lambda f: f.get("job"), V),
    "log of a bucket": (lambda f: f.get("history"), V),
    "file": (lambda f: f.file("one"), V),
    "file in the trash": (lambda f: f.file("gone"), V),
    "log of a file": (lambda f: f.file("one", "history"), V),
    "raw": (lambda f: f.file("one", "raw"), V),
    "thumbnail": (lambda f: f.file("picture", "thumbnail"), V),
    "download": (lambda f: f.file("one", "download"), V),
    "verify": (post_file("verify"), V),
    "form to upload": (lambda f: f.site.get(f.site.url("file_add"), connection="archive"), A),
    "form to rename": (lambda f: f.file("one", "rename"), C),
    "form to replace": (lambda f: f.file("one", "replace"), C),
    "confirm deleting": (lambda f: f.file("one", "delete"), D),
    "confirm purging": (lambda f: f.file("gone", "purge"), D),
    "confirm collecting": (lambda f: f.get("collect"), D),
    "confirm emptying": (lambda f: f.get("empty_trash"), D),
    "confirm deleting many": (post("bulk", action="delete", ids=['"one"']), D),
    "confirm purging many": (
        post("bulk", action="purge", ids=['"gone"'], query="state=trash"),
        D,
    ),
    "confirm restoring many": (
        post("bulk", action="restore", ids=['"gone"'], query="state=trash"),
        C,
    ),
}
CHANGES: dict[str, tuple[Visit, tuple[str, ...]]] = {
    "count": (post("count"), C),
    "dry run": (post("dry_run"), C),
    "stop": (post("job_stop"), C),
    "upload": (
        lambda f: f.post(
            f.site.url("file_add"), follow=False, target="archive/media 0", files=new()
        ),
        A,
    ),
    "rename": (post_file("rename", filename="renamed"), C),
    "replace": (post_file("replace", "two", files=new()), C),
    "make current": (post_file("current"), C),
    "restore": (post_file("restore", "gone"), C),
    "restore many": (
        post("bulk", action="restore", ids=['"gone too"'], query="state=trash", confirmed="1"),
        C,
    ),
    "delete": (post_file("delete", "three"), D),
    "delete many": (post("bulk", action="delete", ids=['"four"'], confirmed="1"), D),
    "purge": (post_file("purge", "old"), D),
    "purge many": (
        post(
            "bulk",
            action="purge",
            ids=['"older"'],
            query="state=trash",
            confirmed="1",
            name="media",
        ),
        D,
    ),
    "collect": (post("collect"), D),
    "empty": (post("empty_trash", days="9", name="media"), D),
}


def document(id: str) -> dict[str, object]:
    return {"_id": id, "length": 0, "chunkSize": 9, "uploadDate": LONG_AGO, "filename": id}


@pytest.fixture(params=[*USERS, "root"])
def visitor(request: pytest.FixtureRequest, site: Site) -> tuple[str, Files]:
    files = Files(site)
    files.add("pictures/any")
    files.bucket.upload("picture", png(), id="picture")
    files.documents.insert_many([document(id) for id in ("one", "two", "three", "four")])
    files.trash.insert_many(
        [
            {"_id": id, "file": document(id), "kind": "deleted", "trashedAt": LONG_AGO}
            for id in ("gone", "gone too", "old", "older")
        ]
    )
    permissions = USERS.get(request.param)
    if request.param == "root":
        site.login(is_superuser=True)
    elif permissions is not None:
        site.login(*permissions)
    return request.param, files


def test_the_table(visitor: tuple[str, Files]) -> None:
    user, files = visitor
    answers = {name: answer(visit(files)) for name, (visit, _) in PAGES.items()}
    assert answers == {name: expected(user, allowed, SEES) for name, (_, allowed) in PAGES.items()}
    assert files.documents.count_documents({}) == 6
    assert files.trash.count_documents({}) == 4
    assert files.site.log() == []


def test_the_table_of_changes(visitor: tuple[str, Files]) -> None:
    from tests.admin.files.test_collector import wait

    user, files = visitor
    answers = {}
    for name, (visit, _) in CHANGES.items():
        answers[name] = answer(visit(files))
        wait(files)
    assert answers == {
        name: expected(user, allowed, GONE) for name, (_, allowed) in CHANGES.items()
    }
    # Whoever was refused has changed nothing.
    names, trash = files.names(), {each["_id"] for each in files.trash.find({})}
    assert ("new.txt" in names) == (user in A)
    assert ("renamed" in names) == (user in C)
    assert ("gone" in names) == ("gone too" in names) == (user in C)
    assert ("three" not in names) == ("four" not in names) == (user in D)
    assert ("old" not in trash) == ("older" not in trash) == (user in D)
    assert bool(files.site.log()) == (user in (*A, *C, *D))


def test_pages_offer_only_what_is_allowed(visitor: tuple[str, Files]) -> None:
    user, files = visitor
    html = "".join(
        page.html
        for page in (
            files.get(),
            files.get(state="trash"),
            files.get("totals"),
            files.get("collector"),
            files.file("one"),
            files.file("gone"),
        )
    )
    assert ("/file/add/" in html) == (user in ("root",))
    for offered in ("/rename/", "/replace/", "/restore/", "/collector/dry/"):
        assert (offered in html) == (user in C), offered
    for offered in ("/delete/", "/purge/", "/collector/empty/"):
        assert (offered in html) == (user in D), offered
    assert ('name="ids"' in html) == (user in (*C, *D))
    # So does the sidebar.
    html = files.site.get("/admin/").html
    listed = files.site.url("file_changelist")
    assert (f'href="{listed}"' in html) == (user in V)
    assert (f'href="{files.site.url("file_add")}"' in html) == (user in A)
