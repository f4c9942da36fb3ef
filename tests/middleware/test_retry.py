"""A view that runs again when MongoDB asks for it, on a request that is as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.base import BaseStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils.functional import SimpleLazyObject
from pymongo.database import Database

from djongo_services.connections import connections
from djongo_services.middleware import atomic_view
from djongo_services.transaction import on_commit
from tests.middleware.conftest import Site
from tests.middleware.views import Boom, athings, calling, things
from tests.transaction.conftest import failing

Written = Callable[..., int]
TRANSIENT = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}


def conflicts(database: Database[Any], times: int, *commands: str) -> Any:
    return failing(database.client, *(commands or ("update",)), times=times, **TRANSIENT)


def test_a_view_runs_again_until_it_is_committed(
    each_site: Site, database: Database[Any], written: Written
) -> None:
    numbers: list[int] = []
    ran: list[int] = []

    def work(request: Any) -> str:
        number = request.transaction_attempt
        numbers.append(number)
        on_commit(lambda: ran.append(number))
        things().insert_one({})
        things().update_one({}, {"$set": {"a": 1}})
        return "done"

    each_site.serve(path("", atomic_view(retry=5)(calling(work))))
    with conflicts(database, 2):
        response = each_site.post("/")
    assert response.content == b"done"
    assert response.headers["X-Transaction-Attempt"] == "3"
    assert (numbers, ran) == ([1, 2, 3], [3])
    assert written() == 1
    assert "X-Transaction-Attempt" not in each_site.post("/").headers


def test_an_async_view_runs_again(
    each_site: Site, database: Database[Any], written: Written
) -> None:
    @atomic_view(retry=3)
    async def view(request: HttpRequest) -> HttpResponse:
        await athings().insert_one({})
        await athings().update_one({}, {"$set": {"a": 1}})
        return HttpResponse("done")

    each_site.serve(path("", view))
    with conflicts(database, 2):
        response = each_site.post("/")
    assert (response.content, response.headers["X-Transaction-Attempt"]) == (b"done", "3")
    assert written() == 1


def test_a_conflict_says_what_it_is_and_what_to_do(
    each_site: Site, database: Database[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Two requests count in one document at once: the one that loses answers 500 and says why."""
    things().replace_one({"_id": "counter"}, {"n": 0}, upsert=True)

    def count(request: HttpRequest) -> HttpResponse:
        counter = things().find_one({"_id": "counter"})
        assert counter is not None
        with connections["default"].client.start_session() as another:
            things().update_one({"_id": "counter"}, {"$inc": {"n": 1}}, session=another)
        things().update_one({"_id": "counter"}, {"$set": {"n": counter["n"] + 1}})
        return HttpResponse()

    each_site.serve(path("", count))
    assert each_site.post("/").status_code == 500
    message = str(caplog.records[-1].exc_info[1])
    assert message.startswith("Write conflict: update on 'default' met a change by another")
    assert "@atomic_view(retry=3)" in message
    assert '["MIDDLEWARE"]["ATTEMPTS"]' in message
    assert "full error" not in message


def test_a_commit_that_is_refused_is_tried_again(
    each_site: Site, database: Database[Any], written: Written
) -> None:
    each_site.serve(
        path("", atomic_view(retry=2)(calling(lambda request: things().insert_one({}))))
    )
    with conflicts(database, 1, "commitTransaction"):
        assert each_site.post("/").headers["X-Transaction-Attempt"] == "2"
    assert written() == 1


def test_by_the_setting_for_all_views(
    site: Site, database: Database[Any], written: Written
) -> None:
    calls: list[int] = []

    def work(request: HttpRequest) -> None:
        calls.append(1)
        things().update_one({}, {"$set": {"a": 1}})

    site.serve(path("", calling(work)))
    with conflicts(database, 1):
        assert site.post("/").status_code == 500
    assert len(calls) == 1
    site.configure(ATTEMPTS=3)
    with conflicts(database, 1):
        assert site.post("/").status_code == 200
    assert len(calls) == 3
    with conflicts(database, 9):
        assert site.post("/").status_code == 500
    assert len(calls) == 6


def test_an_error_of_another_kind_is_not_tried_again(site: Site) -> None:
    calls: list[int] = []

    def work(request: HttpRequest) -> None:
        calls.append(1)
        raise Boom

    site.serve(path("", atomic_view(retry=5)(calling(work))))
    assert site.post("/").status_code == 500
    assert len(calls) == 1


def conflict_once(request: Any) -> None:
    """Meets the fail point for as many attempts as the test made it for."""
    things().update_one({}, {"$set": {"attempt": request.transaction_attempt}})


def test_the_request_is_put_back(each_site: Site, database: Database[Any]) -> None:
    seen: list[Any] = []

    def work(request: Any) -> None:
        seen.append(
            (
                request.POST.get("name"),
                request.FILES["file"].read(),
                [upload.name for upload in request.FILES.getlist("file")],
                hasattr(request, "left_behind"),
                request.META.get("LEFT_BEHIND"),
            )
        )
        request.left_behind = True
        request.META["LEFT_BEHIND"] = "yes"
        conflict_once(request)

    each_site.serve(path("", atomic_view(retry=3)(calling(work))))
    with conflicts(database, 2):
        upload = SimpleUploadedFile("a.txt", b"content")
        response = each_site.post("/", data={"name": "otter", "file": upload})
    assert response.status_code == 200
    assert seen == [("otter", b"content", ["a.txt"], False, None)] * 3


def test_a_request_without_a_body(each_site: Site, database: Database[Any]) -> None:
    each_site.serve(path("", atomic_view(retry=2)(calling(conflict_once))))
    with conflicts(database, 1):
        assert each_site.get("/").headers["X-Transaction-Attempt"] == "2"


@pytest.mark.parametrize("touch", ["body", "read", "POST"])
def test_the_body_can_be_read_in_each_attempt(
    each_site: Site, database: Database[Any], touch: str
) -> None:
    seen: list[Any] = []

    def work(request: Any) -> None:
        found = getattr(request, touch)
        seen.append(found() if touch == "read" else dict(found) if touch == "POST" else found)
        conflict_once(request)

    each_site.serve(path("", atomic_view(retry=3)(calling(work))))
    with conflicts(database, 2):
        response = each_site.post("/", data="a=1", content_type="application/x-www-form-urlencoded")
    assert response.status_code == 200
    assert seen == [{"a": ["1"]} if touch == "POST" else b"a=1"] * 3


def test_files_that_were_parsed_before_the_view_are_rewound(
    site: Site, database: Database[Any]
) -> None:
    site.use("django.middleware.csrf.CsrfViewMiddleware", "tests.middleware.test_retry.Parsing")
    seen: list[bytes] = []

    def work(request: Any) -> None:
        seen.append(request.FILES["file"].read())
        conflict_once(request)

    site.serve(path("", atomic_view(retry=2)(calling(work))))
    with conflicts(database, 1):
        response = site.post("/", data={"file": SimpleUploadedFile("a.txt", b"content")})
    assert response.status_code == 200
    assert seen == [b"content"] * 2


class Parsing:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.POST.get("anything")
        return self.get_response(request)


class Moving:
    """A storage's handling of an upload that is a file already."""

    def __init__(self, request: Any) -> None:
        import os

        upload = request.FILES["file"]
        os.rename(upload.temporary_file_path(), f"{upload.temporary_file_path()}.moved")


def test_a_file_that_was_moved_away_is_not_tried_again(
    site: Site, settings: Any, database: Database[Any], caplog: Any, tmp_path: Any
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
    site.use("tests.middleware.test_retry.Parsing")

    def work(request: Any) -> None:
        Moving(request)
        conflict_once(request)

    site.serve(path("", atomic_view(retry=2)(calling(work))))
    with conflicts(database, 1):
        response = site.post("/", data={"file": SimpleUploadedFile("a.txt", b"content")})
    assert response.status_code == 500
    assert "it moved or closed the uploaded file 'a.txt'" in caplog.text


def test_a_large_body_is_not_kept_and_the_view_runs_once(
    each_site: Site, database: Database[Any]
) -> None:
    seen: list[int] = []

    def work(request: Any) -> None:
        seen.append(len(request.read()))
        things().update_one({}, {"$set": {"a": 1}})

    each_site.configure(BODY_LIMIT=100)
    each_site.serve(path("", atomic_view(retry=3)(calling(work))))
    with conflicts(database, 1):
        response = each_site.post("/", data=b"x" * 101, content_type="text/plain")
    assert response.status_code == 500
    assert seen == [101]


class WithSession:
    """Session, messages and user, as Django's own middleware set them."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        from django.contrib.sessions.backends.signed_cookies import SessionStore

        request.session = SessionStore(None)
        request.session["kept"] = [1]
        request.session.modified = False
        request._messages = Storage(request)
        request.user = SimpleLazyObject(AnonymousUser)
        response = self.get_response(request)
        response.state = (
            dict(request.session),
            [str(message) for message in request._messages._queued_messages],
        )
        return response


class Storage(BaseStorage):
    def _get(self, *args: Any, **kwargs: Any) -> Any:
        return [], True

    def _store(self, messages: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        return []


def test_session_messages_and_user_are_put_back(each_site: Site, database: Database[Any]) -> None:
    seen: list[Any] = []

    def work(request: Any) -> None:
        seen.append(
            (
                list(request.session["kept"]),
                "new" in request.session,
                request.session.modified,
                len(request._messages),
                hasattr(request.user, "nickname"),
            )
        )
        request.session["kept"].append(2)
        request.session["new"] = request.transaction_attempt
        messages.info(request, f"attempt {request.transaction_attempt}")
        request.user.nickname = "otter"
        conflict_once(request)

    each_site.use("tests.middleware.test_retry.WithSession")
    each_site.serve(path("", atomic_view(retry=3)(calling(work))))
    with conflicts(database, 2):
        response: Any = each_site.post("/")
    assert response.status_code == 200
    assert seen == [([1], False, False, 0, False)] * 3
    assert response.state == ({"kept": [1, 2], "new": 3}, ["attempt 3"])


def test_a_view_that_changed_the_sessions_key_is_not_tried_again(
    site: Site, database: Database[Any], caplog: Any
) -> None:
    def work(request: Any) -> None:
        request.session._session_key = "another-key-of-a-session"
        conflict_once(request)

    site.use("tests.middleware.test_retry.WithSession")
    site.serve(path("", atomic_view(retry=3)(calling(work))))
    with conflicts(database, 1):
        assert site.post("/").status_code == 500
    assert "it changed the key of the session" in caplog.text


def test_a_streaming_response_is_not_tried_again(
    site: Site, database: Database[Any], caplog: Any, written: Written
) -> None:
    calls: list[int] = []

    def view(request: HttpRequest) -> StreamingHttpResponse:
        calls.append(1)
        things().insert_one({})
        return StreamingHttpResponse(iter([b"a"]))

    site.serve(path("", atomic_view(retry=3)(view)))
    with conflicts(database, 1, "commitTransaction"):
        assert site.post("/").status_code == 500
    assert len(calls) == 1
    assert written() == 0
    assert "its response is streaming" in caplog.text


def test_a_view_within_a_transaction_is_not_tried_again(
    site: Site, database: Database[Any]
) -> None:
    from django.test import RequestFactory

    from djongo_services.transaction import atomic

    calls: list[int] = []

    def work(request: HttpRequest) -> None:
        calls.append(1)
        things().update_one({}, {"$set": {"a": 1}})

    view = atomic_view(retry=3)(calling(work))
    with conflicts(database, 1), pytest.raises(Exception, match=r"Transient|conflict|failCommand"):
        with atomic():
            view(RequestFactory().post("/"))
    assert len(calls) == 1
    assert connections["default"].database.things.count_documents({}) == 1
