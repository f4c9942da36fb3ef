"""Django's order of hooks, recorded with the middleware and without it."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path

from djongo_services.transaction import in_atomic_block
from tests.middleware.conftest import Site
from tests.middleware.views import Boom, things

EVENTS: list[str] = []


class Recording:
    name = ""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        EVENTS.append(f"{self.name} in")
        response = self.get_response(request)
        EVENTS.append(f"{self.name} out {response.status_code}")
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> Any:
        EVENTS.append(f"{self.name} process_view {view.__name__} {args} {kwargs}")
        assert not in_atomic_block()
        if self.name == request.GET.get("answer_in_process_view"):
            return HttpResponse("early")
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> Any:
        EVENTS.append(f"{self.name} process_exception {type(error).__name__}")
        assert not in_atomic_block()
        if self.name == request.GET.get("answer_in_process_exception"):
            return HttpResponse("handled")
        return None

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        EVENTS.append(f"{self.name} process_template_response {response.is_rendered}")
        assert not in_atomic_block()
        if self.name == request.GET.get("fail_in_template_response"):
            raise Boom
        response.context_data["said"] += self.name
        return response


class Outer(Recording):
    name = "outer"


class Inner(Recording):
    name = "inner"


def plain(request: HttpRequest, number: int) -> HttpResponse:
    EVENTS.append("view")
    things().insert_one({})
    return HttpResponse("plain")


async def aplain(request: HttpRequest, number: int) -> HttpResponse:
    EVENTS.append("view")
    return HttpResponse("plain")


def failing(request: HttpRequest, number: int) -> HttpResponse:
    EVENTS.append("view")
    things().insert_one({})
    raise Boom


async def afailing(request: HttpRequest, number: int) -> HttpResponse:
    EVENTS.append("view")
    raise Boom


def templated(request: HttpRequest, number: int) -> HttpResponse:
    EVENTS.append("view")
    things().insert_one({})

    def rendering() -> str:
        EVENTS.append("rendering")
        if "fail_in_rendering" in request.GET:
            raise Boom
        return "rendered"

    template = engines["django"].from_string("{{ said }} {{ rendering }}")
    response = TemplateResponse(request, template, {"said": "", "rendering": rendering})
    response.add_post_render_callback(lambda response: EVENTS.append("post render"))
    return response


PATHS = [
    "/plain/7",
    "/aplain/7",
    "/failing/7",
    "/afailing/7",
    "/templated/7",
    "/plain/7?answer_in_process_view=outer",
    "/plain/7?answer_in_process_view=inner",
    "/failing/7?answer_in_process_exception=inner",
    "/failing/7?answer_in_process_exception=outer",
    "/afailing/7?answer_in_process_exception=outer",
    "/templated/7?fail_in_template_response=inner",
    "/templated/7?fail_in_rendering",
    "/templated/7?fail_in_rendering&answer_in_process_exception=outer",
    "/nowhere",
]
NAMES = [f"tests.middleware.test_order.{name}" for name in ("Outer", "Inner")]


@pytest.fixture
def served(each_site: Site, settings: Any) -> Site:
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    each_site.serve(
        *[
            path(f"{view.__name__}/<int:number>", view)
            for view in (plain, aplain, failing, afailing, templated)
        ]
    )
    return each_site


def record(site: Site, path: str, middleware: list[str]) -> tuple[list[str], int, bytes]:
    site.settings.MIDDLEWARE = middleware
    EVENTS.clear()
    response = site.post(path)
    content = response.content if response.status_code == 200 else b""
    return list(EVENTS), response.status_code, content


@pytest.mark.parametrize("rendering", [False, True])
def test_the_order_is_that_of_django(served: Site, rendering: bool) -> None:
    from tests.middleware.conftest import OURS

    served.configure(RENDERING=rendering)
    outer, inner = NAMES
    for address in PATHS:
        expected = record(served, address, [outer, inner])
        assert len(expected[0]) >= 3
        for place in ([OURS, outer, inner], [outer, OURS, inner], [outer, inner, OURS]):
            assert record(served, address, place) == expected, (address, place)


def test_other_middleware_see_the_view_itself(served: Site) -> None:
    """A middleware may compare the view, or look at its attributes."""
    seen: list[Any] = []

    class Looking(Recording):
        def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> Any:
            seen.append(view)
            seen.append(request.resolver_match and request.resolver_match.func)

    globals()["Looking"] = Looking
    served.use("tests.middleware.test_order.Looking")
    served.post("/plain/7")
    assert seen == [plain, plain]
