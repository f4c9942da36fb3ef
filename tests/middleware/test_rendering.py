"""The rendering of template responses: outside, as Django does it, or inside where wanted."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path

from djongo_services.middleware import atomic_view
from djongo_services.transaction import in_atomic_block, on_commit
from tests.middleware.conftest import Site
from tests.middleware.views import Boom, athings, things

Written = Callable[..., int]


@pytest.fixture
def rendering(each_site: Site, settings: Any) -> list[bool]:
    """Whether each rendering was in the transaction; it writes, and fails on request."""
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    found: list[bool] = []

    def respond(request: HttpRequest) -> TemplateResponse:
        def write() -> str:
            found.append(in_atomic_block())
            things().insert_one({"by": "rendering"})
            if "fail" in request.GET:
                raise Boom
            return "written"

        template = engines["django"].from_string("{{ write }}")
        response = TemplateResponse(request, template, {"write": write})
        response.status_code = int(request.GET.get("status", 200))
        return response

    def view(request: HttpRequest) -> TemplateResponse:
        things().insert_one({"by": "view"})
        return respond(request)

    @atomic_view(rendering=True)
    def inside(request: HttpRequest) -> TemplateResponse:
        on_commit(lambda: found.append(in_atomic_block()))
        return view(request)

    @atomic_view(rendering=True)
    async def ainside(request: HttpRequest) -> TemplateResponse:
        await athings().insert_one({"by": "view"})
        return respond(request)

    def rendered(request: HttpRequest) -> HttpResponse:
        return inside(request).render()

    each_site.serve(
        path("outside", view),
        path("inside", inside),
        path("ainside", ainside),
        path("rendered", rendered),
    )
    return found


def test_outside_unless_it_is_asked_for(
    each_site: Site, written: Written, rendering: list[bool]
) -> None:
    each_site.post("/outside")
    assert (rendering, written()) == ([False], 2)
    each_site.post("/outside?fail")
    assert (rendering, written()) == ([False, False], 4)


def test_inside_by_the_setting(each_site: Site, written: Written, rendering: list[bool]) -> None:
    each_site.configure(RENDERING=True)
    each_site.post("/outside")
    assert (rendering, written()) == ([True], 2)
    each_site.post("/outside?fail")
    assert (rendering, written()) == ([True, True], 2)


def test_inside_by_the_decorator(each_site: Site, written: Written, rendering: list[bool]) -> None:
    assert each_site.post("/inside").content == b"written"
    assert (rendering, written()) == ([True, False], 2)
    assert each_site.post("/inside?fail").status_code == 500
    assert written() == 2


def test_the_transaction_of_an_async_view_goes_on(
    each_site: Site, written: Written, rendering: list[bool]
) -> None:
    assert each_site.post("/ainside").content == b"written"
    assert (rendering, written()) == ([True], 2)
    assert each_site.post("/ainside?fail").status_code == 500
    assert written() == 2


@pytest.mark.parametrize("view", ["inside", "ainside"])
def test_a_status_of_500_rolls_back_before_the_rendering(
    each_site: Site, written: Written, rendering: list[bool], view: str
) -> None:
    assert each_site.post(f"/{view}?status=500").status_code == 500
    assert rendering == [False]
    assert written() == 1


@pytest.mark.parametrize("view", ["inside", "ainside"])
@pytest.mark.parametrize(
    ("what", "status", "left"), [("raise", 500, 0), ("replace", 200, 1), ("refuse", 503, 0)]
)
def test_a_middleware_between_view_and_rendering(
    each_site: Site,
    written: Written,
    rendering: list[bool],
    view: str,
    what: str,
    status: int,
    left: int,
) -> None:
    Between.what = what
    each_site.use("tests.middleware.test_rendering.Between")
    assert each_site.post(f"/{view}").status_code == status
    assert rendering == ([False] if view == "inside" and left else [])
    assert written() == left


class Between:
    what = ""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        assert not in_atomic_block()
        if self.what == "raise":
            raise Boom
        made: Any = HttpResponse(status=200 if self.what == "replace" else 503)
        made.render = lambda: made
        return made


def test_a_response_can_be_pickled_by_a_cache_when_it_is_rendered(
    site: Site, settings: Any, configured: None
) -> None:
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    pickled: list[bytes] = []

    @atomic_view(rendering=True)
    def view(request: HttpRequest) -> TemplateResponse:
        response = TemplateResponse(request, engines["django"].from_string("text"))
        response.add_post_render_callback(lambda made: pickled.append(pickle.dumps(made)))
        return response

    site.serve(path("", view))
    assert site.post("/").content == b"text"
    assert pickle.loads(pickled[0]).content == b"text"
