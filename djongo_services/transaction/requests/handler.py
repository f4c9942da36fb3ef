"""Where Django wraps a view: ``BaseHandler.make_view_atomic``, patched to open our transactions.

This is the only place that is around the view and nothing else: after the ``process_view`` of all
middleware, before ``process_exception`` and ``process_template_response``. A middleware's own hooks
cannot do that: one that calls the view from ``process_view`` bypasses the others.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import BaseHandler

from djongo_services.patching import Method, patch
from djongo_services.transaction.requests.context import served
from djongo_services.transaction.requests.running import wrap

_NAME = "make_view_atomic"

_lock = threading.Lock()
_in_force: dict[type[BaseHandler], Method] = {}
"""By the class that defines the method: the method at the last check."""


def patch_handlers() -> None:
    """Patch every handler class. If nothing has changed since the last call it costs 0.1 µs, so
    each request can make sure: a tool may have replaced the method, or restored Django's.

    Raises ImproperlyConfigured if Django no longer has this method.
    """
    if _in_force and all(vars(each).get(_NAME) is known for each, known in _in_force.items()):
        return
    if not hasattr(BaseHandler, _NAME):
        raise ImproperlyConfigured(
            "This version of Django has no BaseHandler.make_view_atomic, which "
            "MongoTransactionMiddleware needs; install Django 5.2 to 6.1."
        )
    with _lock:
        for handler in _defining(BaseHandler):
            method = patch(handler, _NAME, _around)
            if not _is_reached(handler):
                method = patch(handler, _NAME, _around, again=True)
            _in_force[handler] = method


def _defining(handler: type[BaseHandler]) -> Iterator[type[BaseHandler]]:
    """The class and its subclasses, if they define the method themselves."""
    if _NAME in vars(handler):
        yield handler
    for subclass in handler.__subclasses__():
        yield from _defining(subclass)


class _HandlerReached(Exception):
    """The method of a handler class leads to ours."""


def _question(request: Any) -> None:
    """A view for the check whether its wrapping gets here."""


def _is_reached(handler: type[BaseHandler]) -> bool:
    """Whether a call reaches :func:`_around`: a wrapper may carry its mark and not call it."""
    try:
        getattr(handler, _NAME)(object.__new__(handler), _question)
    except _HandlerReached:
        return True
    except Exception:  # noqa: BLE001 - a tool that needs a real handler; the mark has to do
        return True
    return False


def _around(original: Method) -> Method:
    def make_view_atomic(handler: BaseHandler, view: Any) -> Any:
        if view is _question:
            raise _HandlerReached
        request = served()
        # If several classes of one handler define the method, each of them comes here.
        if request is None or request.is_choosing_view:
            return original(handler, view)
        request.is_choosing_view = True
        try:
            treatment = request.policy.treatment(view, request.request.method)
            request.treatment = treatment
            wrapped: Any = wrap(view, request, treatment)
            if wrapped is not view and hasattr(view, "_non_atomic_requests"):
                wrapped._non_atomic_requests = view._non_atomic_requests
            # Django's own transactions are outside: when ours cannot commit, SQL rolls back too.
            return original(handler, wrapped)
        finally:
            request.is_choosing_view = False

    return make_view_atomic
