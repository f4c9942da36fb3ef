"""Where Django wraps a view: ``BaseHandler.make_view_atomic``, taught about our transactions.

Only there is it possible to be around the view and nothing else: after every middleware's
``process_view``, before ``process_exception`` and ``process_template_response``. A middleware's own
hooks cannot do that: one that calls the view from ``process_view`` cuts off the others.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.base import BaseHandler

from djongo_services.transaction.requests.running import wrap
from djongo_services.transaction.requests.served import served

_lock = threading.Lock()


def teach_handlers() -> None:
    """Once per process. Raises ImproperlyConfigured when Django has no such place any more."""
    with _lock:
        original = getattr(BaseHandler, "make_view_atomic", None)
        if original is None:
            raise ImproperlyConfigured(
                "This version of Django has no BaseHandler.make_view_atomic, which "
                "MongoTransactionMiddleware needs; install Django 5.2 to 6.1."
            )
        if hasattr(original, "__wrapped__"):
            return

        @wraps(original)
        def make_view_atomic(handler: BaseHandler, view: Any) -> Any:
            request = served()
            if request is None:
                return original(handler, view)
            treatment = request.policy.treatment(view, request.request.method)
            request.treatment = treatment
            wrapped: Any = wrap(view, request, treatment)
            if wrapped is not view and hasattr(view, "_non_atomic_requests"):
                wrapped._non_atomic_requests = view._non_atomic_requests
            # Django's own transactions go around: when ours cannot commit, SQL rolls back as well.
            return original(handler, wrapped)

        BaseHandler.make_view_atomic = make_view_atomic  # type: ignore[method-assign,assignment]  # taught
