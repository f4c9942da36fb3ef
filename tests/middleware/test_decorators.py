"""@atomic_view, @non_atomic and Django's non_atomic_requests, on all kinds of views."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import require_POST
from pymongo.read_concern import ReadConcern

from djongo_services.middleware import atomic_view, client_errors_too, non_atomic
from djongo_services.transaction import current_session
from tests.middleware.conftest import Site
from tests.middleware.views import Boom, athings, things

Written = Callable[..., int]


def write_and_fail(request: HttpRequest) -> HttpResponse:
    things("default").insert_one({})
    things("second").insert_one({})
    raise Boom


async def awrite_and_fail(request: HttpRequest) -> HttpResponse:
    await athings("default").insert_one({})
    await athings("second").insert_one({})
    raise Boom


def fresh(view: Any) -> Any:
    """A copy, as decorators put their marks on the view."""
    if view is awrite_and_fail:

        async def acopy(request: HttpRequest) -> HttpResponse:
            return await awrite_and_fail(request)

        return acopy

    def copy(request: HttpRequest) -> HttpResponse:
        return write_and_fail(request)

    return copy


class Failing(View):
    def post(self, request: HttpRequest) -> HttpResponse:
        return write_and_fail(request)

    def get(self, request: HttpRequest) -> HttpResponse:
        return write_and_fail(request)


def hiding(view: Any) -> Any:
    """A decorator that does not keep what it decorates."""

    def wrapper(request: HttpRequest, *args: Any) -> HttpResponse:
        return view(request, *args)

    return wrapper


@pytest.mark.parametrize("view", [write_and_fail, awrite_and_fail])
@pytest.mark.parametrize(
    ("decorator", "left"),
    [
        (lambda view: view, (0, 0)),
        (non_atomic, (1, 1)),
        (non_atomic(), (1, 1)),
        (non_atomic(using="second"), (0, 1)),
        (non_atomic_requests, (1, 0)),
        (non_atomic_requests(using="second"), (0, 1)),
        (atomic_view, (0, 0)),
        (atomic_view(using="second"), (0, 0)),
    ],
)
def test_functions(
    each_site: Site, written: Written, view: Any, decorator: Any, left: tuple[int, int]
) -> None:
    each_site.serve(path("", decorator(fresh(view))))
    assert each_site.post("/").status_code == 500
    assert (written("default"), written("second")) == left


@pytest.mark.parametrize("view", [write_and_fail, awrite_and_fail])
def test_an_atomic_view_is_atomic_whatever_the_settings_and_the_method(
    each_site: Site, written: Written, view: Any
) -> None:
    each_site.configure(USING=["default"], ALIASES={"default": {"TRANSACTION": False}})
    each_site.serve(path("", atomic_view(using=["default", "second"])(fresh(view))))
    each_site.post("/")
    each_site.get("/")
    assert (written("default"), written("second")) == (0, 0)


def decorated_class() -> Any:
    @non_atomic
    class Decorated(Failing):
        pass

    return Decorated


def class_with_method_decorator() -> Any:
    @method_decorator(non_atomic, name="dispatch")
    class Decorated(Failing):
        pass

    return Decorated


def class_with_decorated_method() -> Any:
    class Decorated(Failing):
        @non_atomic
        def post(self, request: HttpRequest) -> HttpResponse:
            return write_and_fail(request)

    return Decorated


def subclass_of_a_decorated_class() -> Any:
    class Decorated(decorated_class()):  # type: ignore[misc]  # made by a function
        pass

    return Decorated


@pytest.mark.parametrize(
    "make",
    [
        decorated_class,
        class_with_method_decorator,
        class_with_decorated_method,
        subclass_of_a_decorated_class,
    ],
)
def test_classes(each_site: Site, written: Written, make: Any) -> None:
    each_site.serve(path("", make().as_view()), path("plain", Failing.as_view()))
    each_site.post("/plain")
    assert written() == 0
    each_site.post("/")
    assert written() == 1


def test_a_method_of_a_class_may_be_atomic_alone(each_site: Site, written: Written) -> None:
    class Mixed(Failing):
        @atomic_view
        def get(self, request: HttpRequest) -> HttpResponse:
            return write_and_fail(request)

    each_site.serve(path("", Mixed.as_view()), path("plain", Failing.as_view()))
    each_site.get("/plain")
    assert written() == 1
    each_site.get("/")
    each_site.request("head", "/")
    assert written() == 1


class LikeAViewSet:
    """The part of rest_framework.viewsets.ViewSetMixin that names actions."""

    @classmethod
    def as_view(cls, actions: dict[str, str]) -> Any:
        def view(request: HttpRequest) -> HttpResponse:
            self = cls()
            for method, action in actions.items():
                setattr(self, method, getattr(self, action))
            return self.dispatch(request)

        functools.update_wrapper(view, cls, updated=())
        functools.update_wrapper(view, cls.dispatch, assigned=())
        view.cls = cls  # type: ignore[attr-defined]  # as rest_framework does
        view.actions = actions  # type: ignore[attr-defined]  # the same
        return view

    def dispatch(self, request: HttpRequest) -> HttpResponse:
        return getattr(self, (request.method or "").lower())(request)

    def create(self, request: HttpRequest) -> HttpResponse:
        return write_and_fail(request)

    @non_atomic
    def archive(self, request: HttpRequest) -> HttpResponse:
        return write_and_fail(request)


def test_viewsets(each_site: Site, written: Written) -> None:
    @non_atomic
    class Whole(LikeAViewSet):
        pass

    each_site.serve(
        path("create", LikeAViewSet.as_view({"post": "create"})),
        path("archive", LikeAViewSet.as_view({"post": "archive"})),
        path("whole", Whole.as_view({"post": "create"})),
    )
    each_site.post("/create")
    assert written() == 0
    each_site.post("/archive")
    assert written() == 1
    each_site.post("/whole")
    assert written() == 2


def test_the_marks_go_through_decorators_that_keep_them(each_site: Site, written: Written) -> None:
    each_site.serve(path("", require_POST(non_atomic(fresh(write_and_fail)))))
    each_site.post("/")
    assert written() == 1


def test_atomic_view_works_under_a_decorator_that_hides_it(
    each_site: Site, written: Written
) -> None:
    each_site.configure(ALIASES={"default": {"TRANSACTION": False}})
    each_site.serve(path("", hiding(atomic_view(using="default")(fresh(write_and_fail)))))
    each_site.post("/")
    assert written() == 0


def test_non_atomic_under_a_decorator_that_hides_it_says_so(
    site: Site, written: Written, caplog: Any
) -> None:
    site.serve(path("", hiding(non_atomic(fresh(write_and_fail)))))
    assert site.post("/").status_code == 500
    assert "put @non_atomic on top" in caplog.text
    assert written() == 0


def test_an_atomic_view_called_without_the_middleware_is_atomic(
    each_site: Site, written: Written
) -> None:
    view = write_and_fail if each_site.stack == "sync" else awrite_and_fail
    each_site.use(ours=False)
    each_site.serve(path("", atomic_view(fresh(view))), path("non", non_atomic(fresh(view))))
    each_site.post("/")
    assert (written("default"), written("second")) == (0, 0)
    each_site.post("/non")
    assert (written("default"), written("second")) == (1, 1)


def test_an_atomic_view_called_by_a_test(configured: None, written: Written) -> None:
    with pytest.raises(Boom):
        atomic_view(fresh(write_and_fail))(RequestFactory().post("/"))
    assert written() == 0
    with pytest.raises(TypeError, match="with the request first"):
        atomic_view(fresh(write_and_fail))("no request")


def test_options(site: Site, written: Written) -> None:
    seen: list[Any] = []

    @atomic_view(
        using="default",
        read_concern=ReadConcern("snapshot"),
        max_commit_time=3,
        rollback_on=client_errors_too,
    )
    def view(request: HttpRequest) -> HttpResponse:
        things().insert_one({})
        options = current_session()._transaction.opts
        seen.append((options.read_concern.level, options.max_commit_time_ms))
        return HttpResponse(status=404)

    site.serve(path("", view))
    site.post("/")
    assert seen == [("snapshot", 3000)]
    assert written() == 0


def test_safe_methods_of_an_atomic_view(site: Site, written: Written) -> None:
    site.serve(path("", atomic_view(safe_methods="session")(fresh(write_and_fail))))
    site.get("/")
    assert written() == 1
    site.post("/")
    assert written() == 1


def test_two_decorators_for_different_connections(site: Site, written: Written) -> None:
    view = atomic_view(using="default")(non_atomic(using="second")(fresh(write_and_fail)))
    site.serve(path("", view))
    site.post("/")
    assert (written("default"), written("second")) == (0, 1)


@pytest.mark.parametrize(
    ("decorate", "sentence"),
    [
        (lambda: atomic_view(non_atomic(fresh(write_and_fail))), "has both @atomic_view and @non"),
        (lambda: non_atomic(staticmethod(write_and_fail)), "below @staticmethod"),
        (lambda: atomic_view()(7), "not 7"),
        (lambda: atomic_view(lambda request: (yield)), "is a generator"),
        (lambda: atomic_view(type("Plain", (), {})), "has no dispatch"),
    ],
)
def test_what_cannot_be_decorated_is_refused(decorate: Any, sentence: str) -> None:
    with pytest.raises(TypeError, match=sentence):
        decorate()


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        atomic_view(retry=0)
    with pytest.raises(ValueError, match="safe_methods"):
        atomic_view(safe_methods="never")  # type: ignore[arg-type]  # that is the test
