"""One view, which is what its caller needs."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path, resolve
from django.views.decorators.cache import cache_control
from django.views.decorators.clickjacking import xframe_options_exempt

from djongo_services.storage.serving import serve_view
from tests.storage.serving.site import Site

MB = 1024 * 1024


def test_it_is_sync_where_there_is_no_loop() -> None:
    assert not iscoroutinefunction(serve_view())


async def test_it_is_async_in_a_loop() -> None:
    assert iscoroutinefunction(serve_view())


def test_it_is_named_and_copied_as_a_function(site: Site) -> None:
    view = serve_view()
    assert view.__name__ == "serve"
    assert not iscoroutinefunction(copy.copy(view))
    assert resolve("/media/a/b").kwargs == {"name": "a/b"}
    assert resolve("/media/a/b").url_name == "default-file"
    with pytest.raises(AttributeError):
        view.unknown  # noqa: B018 - asked for


def plain(view: Any) -> Callable[..., HttpResponseBase]:
    """A decorator of a project, which supports sync views only."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = view(request, *args, **kwargs)
        response["X-Decorated"] = "yes"
        return response

    return wrapped


def modern(view: Any) -> Any:
    """One that waits for what is to be waited for."""

    @wraps(view)
    async def awrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = await view(request, *args, **kwargs)
        response["X-Decorated"] = "yes"
        return response

    return awrapped


@pytest.mark.parametrize("size", [100, 3 * MB])
@pytest.mark.parametrize("decorator", [plain, modern])
def test_decorated_views_stream_natively_too(each_site: Site, decorator: Any, size: int) -> None:
    content = os.urandom(size)
    each_site.save("a", content)
    each_site.serve(path("media/<path:name>", decorator(serve_view())))
    answer = each_site.get("/media/a")
    assert (answer.status, answer.body == content) == (200, True)
    assert answer.headers["X-Decorated"] == "yes"
    assert answer.is_async == (size > MB and each_site.stack == "async")


def test_decorators_of_django(each_site: Site) -> None:
    each_site.save("a", b"content")
    view: Any = serve_view()
    for decorator in (login_not_required, xframe_options_exempt, cache_control(max_age=5)):
        view = decorator(view)
    each_site.serve(path("media/<path:name>", view))
    answer = each_site.get("/media/a")
    assert answer.body == b"content"
    assert "max-age=5" in answer.headers["Cache-Control"]


def test_atomic_requests_are_none_of_its_business(each_site: Site) -> None:
    """Django would refuse an async view; this one writes nothing."""
    from django.db import connections as databases

    each_site.save("a", b"content")
    was = databases["sql"].settings_dict["ATOMIC_REQUESTS"]
    databases["sql"].settings_dict["ATOMIC_REQUESTS"] = True
    try:
        assert each_site.get("/media/a").body == b"content"
    finally:
        databases["sql"].settings_dict["ATOMIC_REQUESTS"] = was
