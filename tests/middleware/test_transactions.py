"""One transaction per view: what is left behind by views that succeed and views that fail."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path

from djongo_services.middleware import client_errors_too
from djongo_services.transaction import (
    TransactionManagementError,
    atomic,
    current_session,
    in_atomic_block,
    on_commit,
    on_rollback,
    set_rollback,
    transaction_finished,
)
from tests.middleware import views
from tests.middleware.conftest import Site
from tests.middleware.views import Boom, calling, things

Written = Callable[..., int]


def serve_all(site: Site) -> None:
    site.serve(
        path("write", views.write),
        path("awrite", views.awrite),
        path("fail", views.fail),
        path("afail", views.afail),
        path("missing", views.missing),
        path("status/<int:code>", views.status),
        path("astatus/<int:code>", views.astatus),
        path("rest", views.like_rest_framework),
    )


@pytest.mark.parametrize("view", ["write", "awrite"])
def test_a_view_that_succeeds_is_committed(each_site: Site, written: Written, view: str) -> None:
    serve_all(each_site)
    response = each_site.post(f"/{view}")
    assert response.json() == {"atomic": True}  # type: ignore[attr-defined]  # the test client's
    assert written() == 1


@pytest.mark.parametrize("view", ["fail", "afail", "missing"])
def test_a_view_that_raises_is_rolled_back(each_site: Site, written: Written, view: str) -> None:
    serve_all(each_site)
    assert each_site.post(f"/{view}").status_code == (404 if view == "missing" else 500)
    assert written() == 0


@pytest.mark.parametrize("view", ["status", "astatus"])
@pytest.mark.parametrize(("code", "left"), [(200, 1), (302, 1), (404, 1), (500, 0), (503, 0)])
def test_a_status_of_500_or_more_rolls_back(
    each_site: Site, written: Written, view: str, code: int, left: int
) -> None:
    serve_all(each_site)
    assert each_site.post(f"/{view}/{code}").status_code == code
    assert written() == left


def test_an_exception_that_a_framework_made_a_response_of_rolls_back(
    each_site: Site, written: Written
) -> None:
    serve_all(each_site)
    assert each_site.post("/rest").status_code == 400
    assert written() == 0


@pytest.mark.parametrize(
    "rollback_on", [client_errors_too, "djongo_services.middleware.client_errors_too"]
)
def test_client_errors_roll_back_where_that_is_wanted(
    site: Site, written: Written, rollback_on: Any
) -> None:
    serve_all(site)
    site.configure(ROLLBACK_ON=rollback_on)
    site.post("/status/404")
    assert written() == 0
    site.post("/status/302")
    assert written() == 1


def test_a_middleware_that_answers_for_the_exception_does_not_save_the_changes(
    each_site: Site, written: Written
) -> None:
    serve_all(each_site)
    each_site.use("tests.middleware.test_transactions.Answering")
    response = each_site.post("/fail")
    assert (response.status_code, response.content) == (200, b"answered")
    assert written() == 0


class Answering:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        assert not in_atomic_block()
        return HttpResponse("answered")


def test_the_hooks_run_once_after_the_view(each_site: Site, database: Any) -> None:
    ran: list[Any] = []

    def left() -> int:
        return database.things.count_documents({})

    def work(request: HttpRequest) -> HttpResponse:
        things().insert_one({})
        on_commit(lambda: ran.append(("commit", left())))
        on_rollback(lambda: ran.append(("rollback", left())))
        return HttpResponse(status=int(request.GET["status"]))

    each_site.serve(path("", calling(work)))
    each_site.post("/?status=200")
    each_site.post("/?status=500")
    assert ran == [("commit", 2), ("rollback", 2)]


def test_a_view_that_swallows_an_error_of_its_transaction_fails(
    each_site: Site, written: Written
) -> None:
    def work(request: HttpRequest) -> str:
        things().insert_one({"_id": 1})
        try:
            with atomic():
                raise Boom
        except Boom:
            return "fine"

    each_site.serve(path("", calling(work)))
    response = each_site.post("/")
    assert response.status_code == 500
    assert written() == 0


def test_a_failed_response_hides_no_second_error_behind_it(
    each_site: Site, written: Written
) -> None:
    def work(request: HttpRequest) -> HttpResponse:
        things().insert_one({"_id": 1})
        try:
            with atomic():
                raise Boom
        except Boom:
            return HttpResponse("sorry", status=503)

    each_site.serve(path("", calling(work)))
    assert each_site.post("/").content == b"sorry"
    assert written() == 0


def test_a_view_can_decide_for_itself(each_site: Site, written: Written) -> None:
    def work(request: HttpRequest) -> str:
        things().insert_one({})
        set_rollback(True)
        return "fine"

    each_site.serve(path("", calling(work)))
    assert each_site.post("/").content == b"fine"
    assert written() == 0


def test_inner_blocks_join(site: Site, written: Written) -> None:
    def work(request: HttpRequest) -> None:
        with atomic():
            things().insert_one({})
        assert written() == 0
        with pytest.raises(RuntimeError, match="durable"), atomic(durable=True):
            pass
        with pytest.raises(TransactionManagementError, match="outermost"):
            with atomic(max_commit_time=1):
                pass

    site.serve(path("", calling(work)))
    assert site.post("/").status_code == 200
    assert written() == 1


def test_nothing_is_begun_for_a_view_that_does_nothing(each_site: Site) -> None:
    finished: list[Any] = []

    def listen(**event: Any) -> None:
        finished.append(event)

    each_site.serve(path("empty", views.empty), path("aempty", views.aempty))
    transaction_finished.connect(listen)
    try:
        assert each_site.post("/empty").content == b"empty"
        assert each_site.post("/aempty").content == b"empty"
    finally:
        transaction_finished.disconnect(listen)
    assert finished == []


def test_a_stray_thread_cannot_go_on_with_what_was_rolled_back(
    site: Site, written: Written
) -> None:
    free, stray = [], []

    def work(request: HttpRequest) -> None:
        things().insert_one({})
        free.append(contextvars.copy_context())
        stray.append(contextvars.copy_context())
        thread = threading.Thread(target=stray[0].run, args=[things().insert_one, {}])
        thread.start()
        thread.join()
        raise Boom

    site.serve(path("", calling(work)))
    site.post("/")
    with pytest.raises(TransactionManagementError, match="that was rolled back"):
        stray[0].run(things().insert_one, {})
    assert written() == 0
    free[0].run(things().insert_one, {})
    assert written() == 1


def test_each_connection_has_its_own_transaction(each_site: Site, written: Written) -> None:
    each_site.serve(path("", views.both))
    each_site.post("/")
    assert (written("default"), written("second")) == (1, 1)
    each_site.post("/?fail")
    assert (written("default"), written("second")) == (1, 1)


def test_connections_that_requests_do_not_use_are_left_alone(
    each_site: Site, written: Written
) -> None:
    each_site.serve(path("", views.both))
    each_site.configure(USING=["default"])
    each_site.post("/?fail")
    assert (written("default"), written("second")) == (0, 1)
    each_site.configure(ALIASES={"default": {"TRANSACTION": False}})
    each_site.post("/?fail")
    assert (written("default"), written("second")) == (1, 1)


def test_options_per_alias(site: Site) -> None:
    seen: list[Any] = []

    def work(request: HttpRequest) -> None:
        options = current_session()._transaction.opts
        seen.append((options.read_concern.level, options.write_concern.document))
        seen.append(options.max_commit_time_ms)

    site.serve(path("", calling(work)))
    own = {"READ_CONCERN": "snapshot", "WRITE_CONCERN": {"w": 1}, "MAX_COMMIT_TIME": 2.5}
    site.configure(ALIASES={"default": own})
    site.post("/")
    assert seen == [("snapshot", {"w": 1}), 2500]


def test_a_client_that_no_connection_knows_stays_outside(
    each_site: Site, written: Written, database: Any
) -> None:
    """A library with a separate client (a queue, a cache) continues to work."""

    def work(request: HttpRequest) -> None:
        things().insert_one({})
        database.things.insert_one({})
        raise Boom

    each_site.serve(path("", calling(work)))
    each_site.post("/")
    assert written() == 1


def test_the_middleware_listed_twice_does_its_work_once(each_site: Site, written: Written) -> None:
    from tests.middleware.conftest import OURS

    serve_all(each_site)
    each_site.use(OURS)
    each_site.post("/write")
    each_site.post("/fail")
    assert written() == 1
