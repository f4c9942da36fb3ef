"""``@atomic_view`` and ``@non_atomic``, for functions, methods, classes and viewsets."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.transaction.errors import TransactionManagementError
from djongo_services.transaction.options import Options
from djongo_services.transaction.requests import running
from djongo_services.transaction.requests.context import served
from djongo_services.transaction.requests.settings import (
    RollbackOn,
    SafeMethods,
    middleware_settings,
)
from djongo_services.transaction.requests.view_options import ViewOptions, attach_options
from djongo_services.transaction.requests.view_policy import ViewPolicy
from djongo_services.transaction.state import innermost

V = TypeVar("V", bound=Callable[..., Any])


def atomic_view(
    using: Any = None,
    *,
    read_concern: ReadConcern | None = None,
    write_concern: WriteConcern | None = None,
    max_commit_time: float | None = None,
    retry: int | None = None,
    rendering: bool | None = None,
    rollback_on: RollbackOn | None = None,
    safe_methods: SafeMethods = "transaction",
) -> Any:
    """Define how a view is atomic: ``@atomic_view`` or ``@atomic_view(using="archive", retry=3)``.

    For a view function, a method of a view class, a view class or a viewset. It also works below
    other decorators, and without the middleware: then the decorator itself opens the transactions.

    :param using: one or more aliases; by default, those that requests use.
    :param read_concern: an option of the transaction, like ``write_concern`` and
        ``max_commit_time`` (seconds).
    :param retry: how often the view may run at most when MongoDB asks for a retry (after a write
        conflict or an election). The view must be safe to repeat: its request is restored, what
        it did outside of the database is not.
    :param rendering: whether the rendering of a template response belongs to the view; an error
        there rolls back too, but is not retried.
    :param rollback_on: a function of request and response, like the setting ROLLBACK_ON.
    :param safe_methods: for GET and HEAD: ``"transaction"``, ``"snapshot"`` or ``"session"``.
    """
    if callable(using):
        return atomic_view()(using)
    if retry is not None and retry < 1:
        raise ValueError("retry must be a number of attempts, at least 1.")
    if safe_methods not in ("transaction", "snapshot", "session"):
        raise ValueError('safe_methods must be "transaction", "snapshot" or "session".')
    mark = ViewOptions(
        atomic=True,
        using=_aliases(using),
        options=Options(
            read_concern=read_concern, write_concern=write_concern, max_commit_time=max_commit_time
        ),
        attempts=retry,
        rendering=rendering,
        rollback_on=rollback_on,
        safe_methods=safe_methods,
    )
    return partial(_decorate, mark=mark)


def non_atomic(using: Any = None) -> Any:
    """Leave a view alone: ``@non_atomic`` or ``@non_atomic(using="archive")``.

    Its operations take effect immediately. Django's ``@non_atomic_requests`` is respected as well,
    with the names of aliases.
    """
    if callable(using):
        return non_atomic()(using)
    return partial(_decorate, mark=ViewOptions(atomic=False, using=_aliases(using)))


def _aliases(using: str | Iterable[str] | None) -> tuple[str, ...] | None:
    match using:
        case None:
            return None
        case str():
            return (using,)
    return tuple(using)


def _decorate(view: V, *, mark: ViewOptions) -> V:
    if isinstance(view, type):
        decorated: V = _decorate_class(view, mark)
        return decorated
    if isinstance(view, staticmethod | classmethod | property) or not callable(view):
        raise TypeError(
            f"{mark.decorator} decorates a view: a function, a method or a class, not {view!r}. "
            f"Put it below @staticmethod, @classmethod or @property."
        )
    if inspect.isgeneratorfunction(view) or inspect.isasyncgenfunction(view):
        raise TypeError(
            f"{mark.decorator} decorates a view; {view.__qualname__} is a generator, which returns "
            f"no response. Put it on the view that streams it."
        )
    attach_options(wrapper := _wrapper(view, mark), mark, inherited=view)
    return wrapper  # type: ignore[return-value]  # it takes what the view takes


def _decorate_class(view_class: Any, mark: ViewOptions) -> Any:
    dispatch = getattr(view_class, "dispatch", None)
    if dispatch is None:
        raise TypeError(
            f"{mark.decorator} decorates view classes; {view_class.__qualname__} has no dispatch()."
        )

    @functools.wraps(dispatch)
    def marked(self: Any, *args: Any, **kwargs: Any) -> Any:
        return dispatch(self, *args, **kwargs)

    attach_options(marked, mark, inherited=dispatch)
    view_class.dispatch = marked
    return view_class


def _wrapper(view: Callable[..., Any], mark: ViewOptions) -> Callable[..., Any]:
    """The view, which checks when it is called whether its mark was found."""
    if iscoroutinefunction(view):

        @functools.wraps(view)
        async def acalled(*args: Any, **kwargs: Any) -> Any:
            call = partial(view, *args, **kwargs)
            if _is_seen(mark):
                return await call()
            _refuse_if_too_late(mark, view)
            request = _request(args, kwargs)
            treatment = _policy().treatment_of_options((mark,), request.method or "")
            if not treatment.blocks:
                return await call()
            return await running.arun(call, request, served(), treatment)

        return acalled

    @functools.wraps(view)
    def called(*args: Any, **kwargs: Any) -> Any:
        call = partial(view, *args, **kwargs)
        if _is_seen(mark):
            return call()
        _refuse_if_too_late(mark, view)
        request = _request(args, kwargs)
        treatment = _policy().treatment_of_options((mark,), request.method or "")
        if not treatment.blocks:
            return call()
        return running.run(call, request, served(), treatment)

    return called


def _is_seen(mark: ViewOptions) -> bool:
    request = served()
    treatment = None if request is None else request.treatment
    return treatment is not None and any(seen is mark for seen in treatment.marks)


def _refuse_if_too_late(mark: ViewOptions, view: Any) -> None:
    """Raise an error if a decorator above hid ``@non_atomic``, so that the transaction is open
    already."""
    request = served()
    treatment = None if request is None else request.treatment
    if mark.atomic or treatment is None:
        return
    for connection, _ in treatment.blocks:
        if mark.covers(connection.alias) and innermost(connection.key) is not None:
            raise TransactionManagementError(
                f"@non_atomic on {view.__qualname__} is hidden by a decorator above it, which "
                f"does not keep the view's attributes; put @non_atomic on top."
            )


def _policy() -> ViewPolicy:
    request = served()
    return request.policy if request is not None else ViewPolicy(middleware_settings())


def _request(args: tuple[Any, ...], kwargs: dict[str, Any]) -> HttpRequest:
    """The request: the view's first argument, or the second one of a method."""
    for argument in (*args[:2], kwargs.get("request")):
        found = getattr(argument, "_request", argument)  # Django REST framework's wraps Django's
        if isinstance(found, HttpRequest):
            return found
    raise TypeError("An atomic view is called with the request first.")
