"""Views that write to the connection "default" in the ways that views do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection

from djongo_services.connections import connections
from djongo_services.transaction import in_atomic_block


class Boom(Exception):
    pass


def things(alias: str = "default") -> Collection[Any]:
    return connections[alias].database.things


def athings(alias: str = "default") -> AsyncCollection[Any]:
    return connections[alias].async_database.things


def write(request: HttpRequest) -> JsonResponse:
    things().insert_one({"by": "view"})
    things().update_many({}, {"$set": {"seen": True}})
    return JsonResponse({"atomic": in_atomic_block()})


async def awrite(request: HttpRequest) -> JsonResponse:
    await athings().insert_one({"by": "view"})
    await asyncio.sleep(0)
    await athings().update_many({}, {"$set": {"seen": True}})
    return JsonResponse({"atomic": in_atomic_block()})


def fail(request: HttpRequest) -> HttpResponse:
    things().insert_one({"by": "view"})
    raise Boom


async def afail(request: HttpRequest) -> HttpResponse:
    await athings().insert_one({"by": "view"})
    raise Boom


def missing(request: HttpRequest) -> HttpResponse:
    things().insert_one({"by": "view"})
    raise Http404


def status(request: HttpRequest, code: int) -> HttpResponse:
    things().insert_one({"by": "view"})
    return HttpResponse(status=code)


async def astatus(request: HttpRequest, code: int) -> HttpResponse:
    await athings().insert_one({"by": "view"})
    return HttpResponse(status=code)


def like_rest_framework(request: HttpRequest) -> HttpResponse:
    """The response that an APIView's exception handler makes of a ValidationError."""
    things().insert_one({"by": "view"})
    try:
        raise Boom
    except Boom:
        response = JsonResponse({"detail": "invalid"}, status=400)
        response.exception = True  # type: ignore[attr-defined]  # as rest_framework does
        return response


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse("empty")


async def aempty(request: HttpRequest) -> HttpResponse:
    return HttpResponse("empty")


def read(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"count": things().count_documents({}), "atomic": in_atomic_block()})


def both(request: HttpRequest) -> HttpResponse:
    things("default").insert_one({})
    things("second").insert_one({})
    if "fail" in request.GET:
        raise Boom
    return HttpResponse("both")


def calling(work: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], HttpResponse]:
    """A view that calls a function of the test."""

    def view(request: HttpRequest) -> HttpResponse:
        made = work(request)
        return made if isinstance(made, HttpResponse) else HttpResponse(str(made))

    return view
