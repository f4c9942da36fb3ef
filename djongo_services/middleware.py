"""``MongoTransactionMiddleware``: requests whose changes happen together or not at all.

>>> MIDDLEWARE = ["djongo_services.middleware.MongoTransactionMiddleware", ...]

Put it first, or before the first middleware that uses MongoDB (sessions, authentication): it gives
the request's operations their causal session. The transactions cover only the view, wherever the
middleware is in the list. Settings: :mod:`djongo_services.transaction.requests.settings`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from djongo_services.conf import SETTING
from djongo_services.transaction.causal_consistency import CLOCKS
from djongo_services.transaction.requests.context import ServedRequest, served
from djongo_services.transaction.requests.decorators import atomic_view, non_atomic
from djongo_services.transaction.requests.handler import patch_handlers
from djongo_services.transaction.requests.settings import (
    client_errors_too,
    middleware_settings,
    server_errors,
)
from djongo_services.transaction.requests.streaming import streamed
from djongo_services.transaction.requests.token import keep_token
from djongo_services.transaction.requests.view_policy import ViewPolicy

__all__ = [
    "MongoTransactionMiddleware",
    "atomic_view",
    "client_errors_too",
    "non_atomic",
    "server_errors",
    "streamed",
]


class MongoTransactionMiddleware:
    """One class for sync and async stacks.

    In a request, every operation on a configured connection is causally consistent with the
    previous ones. In a view, the operations on each connection are one transaction, which begins
    with the first of them and ends in the view's own thread or task: committed, or rolled back if
    the view raised an exception or its response reports an error (ROLLBACK_ON: a status of 500 or
    more).
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
    ) -> None:
        self.get_response: Callable[[HttpRequest], Any] = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        self._policy: tuple[Any, ViewPolicy] | None = None
        self.policy()  # so that a wrong setting is reported when the site starts
        patch_handlers()

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self.__acall__(request)
        response: HttpResponseBase | None = None
        if _is_served_already(request):
            return cast(HttpResponseBase, self.get_response(request))
        patch_handlers()
        serving = ServedRequest(request, self.policy(), is_in_sync_stack=True)
        token = CLOCKS.set(serving)
        try:
            try:
                response = self.get_response(request)
            finally:
                if serving.deferred_render is not None:
                    serving.deferred_render.end(response)
            return _remember(serving, cast(HttpResponseBase, response))
        finally:
            serving.ended = True
            CLOCKS.reset(token)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | None = None
        if _is_served_already(request):
            return cast(HttpResponseBase, await self.get_response(request))
        patch_handlers()
        serving = ServedRequest(request, self.policy())
        token = CLOCKS.set(serving)
        try:
            await serving.aload_session()
            try:
                response = await self.get_response(request)
            finally:
                if serving.deferred_render is not None:
                    await serving.deferred_render.aend(response)
            return _remember(serving, cast(HttpResponseBase, response))
        finally:
            serving.ended = True
            CLOCKS.reset(token)

    def policy(self) -> ViewPolicy:
        """The policy of the setting, recreated when the setting changes."""
        raw = getattr(django_settings, SETTING, None)
        known = self._policy
        if known is None or known[0] is not raw:
            known = self._policy = (raw, ViewPolicy(middleware_settings()))
        return known[1]


def _is_served_already(request: HttpRequest) -> bool:
    """Whether the middleware is listed twice, and the outer one has served the request."""
    outer = served()
    return outer is not None and outer.request is request


def _remember(serving: ServedRequest, response: HttpResponseBase) -> HttpResponseBase:
    settings = serving.policy.settings
    if settings.read_your_writes is not None:
        clocks = serving.used()
        if any(clock.wrote or clock.dropped for clock in clocks.values()):
            keep_token(serving.request, response, clocks, serving.tokens, settings)
    return response
