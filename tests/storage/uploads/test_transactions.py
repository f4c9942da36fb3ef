"""Uploads in transactions: chunks outside, the files document inside, nothing after a rollback."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.connections import connections
from djongo_services.middleware import atomic_view
from djongo_services.transaction import atomic
from tests.storage.uploads.conftest import NOTHING, TRANSACTIONS, Site, calling
from tests.transaction.conftest import failing

BIG = b"0123456789" * 300_000
CHUNKS = 12
TRANSIENT = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}


class ParsingMiddleware:
    """Looks at the POST data before the view, as the one against CSRF does."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        assert request.FILES
        return self.get_response(request)


@pytest.fixture
def atomic_site(each_site: Site) -> Site:
    """Every view is a transaction, in which its body is parsed too."""
    each_site.settings.MIDDLEWARE = [TRANSACTIONS]
    each_site.database.rows.insert_one({"_id": 0})
    return each_site


def rows() -> Any:
    return connections["default"].database.rows


def test_the_file_appears_with_its_row(atomic_site: Site) -> None:
    seen: dict[str, Any] = {}

    def work(request: Any) -> None:
        rows().insert_one({"before": "the body is parsed"})
        uploaded = request.FILES["file"]
        seen["received"] = atomic_site.counts
        rows().insert_one({"file": atomic_site.storage.save("a.png", uploaded)})
        seen["saved"] = atomic_site.counts
        seen["read"] = uploaded.open().read()
        seen["own"] = atomic_site.storage.exists("a.png")

    atomic_site.serve(calling(work))
    assert atomic_site.post(("a.png", BIG)).content == b"done"
    received = {"files": 0, "chunks": CHUNKS, "uploads": 1}
    assert (seen["received"], seen["saved"]) == (received, received)
    assert (seen["read"], seen["own"]) == (BIG, True)
    assert atomic_site.counts == {"files": 1, "chunks": CHUNKS, "uploads": 0}
    assert atomic_site.database.rows.count_documents({"file": "a.png"}) == 1
    with atomic_site.storage.open("a.png") as file:
        assert file.read() == BIG


def test_a_rollback_removes_everything(atomic_site: Site) -> None:
    def work(request: Any) -> HttpResponse:
        rows().insert_one({"file": atomic_site.storage.save("a.png", request.FILES["file"])})
        return HttpResponse(status=500)

    atomic_site.serve(calling(work))
    assert atomic_site.post(("a.png", BIG)).status_code == 500
    assert atomic_site.counts == NOTHING
    assert atomic_site.database.rows.count_documents({"file": "a.png"}) == 0


def test_after_a_rollback_it_can_be_saved_again(site: Site) -> None:
    def work(request: Any) -> None:
        with suppress(RuntimeError), atomic():
            site.storage.save("a.png", request.FILES["file"])
            raise RuntimeError
        assert site.counts == {"files": 0, "chunks": CHUNKS, "uploads": 1}
        with atomic():
            site.storage.save("b.png", request.FILES["file"])

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).content == b"done"
    assert site.counts == {"files": 1, "chunks": CHUNKS, "uploads": 0}
    with site.storage.open("b.png") as file:
        assert file.read() == BIG


@pytest.mark.parametrize("parsed_before", [True, False])
@pytest.mark.parametrize("options", [{}, {"deduplicate": True}], ids=str)
def test_a_view_that_runs_again_saves_it_once(
    atomic_site: Site, options: dict[str, Any], parsed_before: bool
) -> None:
    storage = atomic_site.configure(**options)
    if options:
        storage.save("same.png", ContentFile(BIG))
    if parsed_before:
        atomic_site.settings.MIDDLEWARE = [TRANSACTIONS, f"{__name__}.ParsingMiddleware"]
    atomic_site.settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10_000_000
    atomic_site.settings.DJONGO_SERVICES = {
        **atomic_site.settings.DJONGO_SERVICES,
        "TRANSACTION": {"MIDDLEWARE": {"BODY_LIMIT": 10_000_000}},
    }
    ids: list[Any] = []

    def work(request: Any) -> None:
        uploaded = request.FILES["file"]
        ids.append(uploaded._upload.id)
        rows().insert_one({"file": storage.save("a.png", uploaded)})
        rows().update_one({"_id": 0}, {"$set": {"a": 1}})

    atomic_site.serve(atomic_view(retry=3)(calling(work)))
    conflict = {"namespace": f"{atomic_site.database.name}.rows", **TRANSIENT}
    with failing(atomic_site.database.client, "update", times=2, **conflict):
        answer = atomic_site.post(("a.png", BIG))
    assert answer.headers["X-Transaction-Attempt"] == "3"
    assert len(set(ids)) == (1 if parsed_before else 3)
    assert atomic_site.database.rows.count_documents({"file": "a.png"}) == 1
    assert atomic_site.counts == {"files": 1, "chunks": CHUNKS, "uploads": 0}
    with storage.open("a.png") as file:
        assert file.read() == BIG


def test_in_an_async_view_with_its_transaction(atomic_site: Site) -> None:
    async def view(request: Any) -> HttpResponse:
        uploaded = request.FILES["file"]
        name = await atomic_site.storage.asave("a.png", uploaded)
        await connections["default"].async_database.rows.insert_one({"file": name})
        return HttpResponse(status=int(request.POST["status"]))

    atomic_site.serve(view)
    for status, counts in (
        ("500", NOTHING),
        ("200", {"files": 1, "chunks": CHUNKS, "uploads": 0}),
    ):
        sent = {"status": status, "file": _file(BIG)}
        assert atomic_site.post_form(sent).status_code == int(status)
        assert atomic_site.counts == counts
    assert atomic_site.database.rows.count_documents({"file": "a.png"}) == 1


@pytest.mark.django_db(transaction=True)
def test_by_the_backends_own_atomic(site: Site) -> None:
    from django_mongodb_backend import transaction

    site.settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "default"}}}
    own = connections["default"].database
    site.database = own
    before = site.counts

    def work(request: Any) -> None:
        with suppress(RuntimeError), transaction.atomic():
            site.storage.save("a.png", request.FILES["file"])
            raise RuntimeError
        with transaction.atomic():
            site.storage.save("b.png", request.FILES["file"])

    site.serve(calling(work))
    try:
        assert site.post(("a.png", BIG)).content == b"done"
        changed = {kind: count - before[kind] for kind, count in site.counts.items()}
        assert changed == {"files": 1, "chunks": CHUNKS, "uploads": 0}
    finally:
        site.storage.delete("b.png")


def test_a_failed_insert_leaves_nothing(site: Site) -> None:
    def work(request: Any) -> None:
        uploaded = request.FILES["file"]
        with failing(site.database.client, "insert", times=1, errorCode=20):
            site.storage.save("a.png", uploaded)

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).status_code == 500
    assert site.counts == NOTHING


def test_a_save_that_failed_can_be_tried_again(site: Site) -> None:
    def work(request: Any) -> None:
        uploaded = request.FILES["file"]
        with (
            failing(site.database.client, "insert", times=1, errorCode=20),
            pytest.raises(OperationFailure),
        ):
            site.storage.save("a.png", uploaded)
        site.storage.save("a.png", uploaded)

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).content == b"done"
    assert site.counts == {"files": 1, "chunks": CHUNKS, "uploads": 0}


def test_a_file_whose_upload_has_an_unknown_outcome(site: Site) -> None:
    """The insert was made, and the majority did not say so."""
    unknown = {
        "namespace": f"{site.database.name}.fs.files",
        "writeConcernError": {"code": 64, "errmsg": "waiting timed out"},
    }

    def work(request: Any) -> None:
        uploaded = request.FILES["file"]
        with failing(site.database.client, "insert", times=1, **unknown):
            with pytest.raises(PyMongoError):
                site.storage.save("a.png", uploaded)
            assert site.counts == {"files": 0, "chunks": CHUNKS, "uploads": 1}
        site.storage.save("a.png", uploaded)

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).content == b"done"
    assert site.counts == {"files": 1, "chunks": CHUNKS, "uploads": 0}


def test_a_rollback_after_it_was_closed(site: Site) -> None:
    def work(request: Any) -> None:
        with suppress(RuntimeError), atomic():
            site.storage.save("a.png", request.FILES["file"])
            request.close()
            raise RuntimeError
        assert site.counts == NOTHING

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).content == b"done"


def test_a_commit_after_it_was_closed(site: Site) -> None:
    def work(request: Any) -> None:
        with atomic():
            site.storage.save("a.png", request.FILES["file"])
            request.close()

    site.serve(calling(work))
    assert site.post(("a.png", BIG)).content == b"done"
    assert site.counts == {"files": 1, "chunks": CHUNKS, "uploads": 0}


def _file(content: bytes) -> Any:
    return SimpleUploadedFile("a.png", content, "image/png")
