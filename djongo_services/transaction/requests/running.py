"""Running a view within its transactions, in the view's own thread or task."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest

from djongo_services.connections import connections
from djongo_services.transaction.requests.context import ServedRequest
from djongo_services.transaction.requests.retrying import ViewAttempt, ViewAttempts
from djongo_services.transaction.requests.view_blocks import (
    DeferredRender,
    ViewBlocks,
    can_wait_for_rendering,
)
from djongo_services.transaction.requests.view_policy import Treatment

View = Callable[..., Any]


def wrap(view: View, served: ServedRequest | None, treatment: Treatment) -> View:
    """The view with its treatment; the view itself if nothing is to be done."""
    if served is not None and treatment.snapshots:
        served.read_snapshots(treatment.snapshots)
    is_async = iscoroutinefunction(view)
    wrapped = view
    if treatment.blocks:
        wrapped = (_in_task if is_async else _in_thread)(view, served, treatment)
    if is_async and served is not None and served.is_in_sync_stack:
        wrapped = _in_passing_loop(wrapped)
    return wrapped


def _in_thread(view: View, served: ServedRequest | None, treatment: Treatment) -> View:
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return run(partial(view, request, *args, **kwargs), request, served, treatment)

    return wrapper


def _in_task(view: View, served: ServedRequest | None, treatment: Treatment) -> View:
    async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return await arun(partial(view, request, *args, **kwargs), request, served, treatment)

    return wrapper


def _in_passing_loop(view: View) -> View:
    """Close the clients afterwards: a sync stack runs each async view in a loop of its own."""

    async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return await view(request, *args, **kwargs)
        finally:
            for connection in connections.all():
                await connection.aclose()

    return wrapper


def run(
    call: Callable[[], Any],
    request: HttpRequest,
    served: ServedRequest | None,
    treatment: Treatment,
) -> Any:
    if treatment.first_runs.are_over:
        return _run(call, request, served, treatment)
    with treatment.first_runs.one_by_one():
        return _run(call, request, served, treatment)


def _run(
    call: Callable[[], Any],
    request: HttpRequest,
    served: ServedRequest | None,
    treatment: Treatment,
) -> Any:
    attempts = ViewAttempts.of(request, treatment)
    if attempts is None:
        return _attempt(call, request, served, treatment)
    while True:
        with attempts.recorded():
            try:
                with attempts.savepoints():
                    response = _attempt(
                        attempts.calling(call), request, served, treatment, attempts
                    )
                return attempts.tell(response)
            except Exception as error:  # noqa: BLE001 - raised again unless it is transient
                delay = attempts.delay_or_raise(error)
        time.sleep(delay)
        attempts.prepare()


async def arun(
    call: Callable[[], Awaitable[Any]],
    request: HttpRequest,
    served: ServedRequest | None,
    treatment: Treatment,
) -> Any:
    if treatment.first_runs.are_over:
        return await _arun(call, request, served, treatment)
    async with treatment.first_runs.aone_by_one():
        return await _arun(call, request, served, treatment)


async def _arun(
    call: Callable[[], Awaitable[Any]],
    request: HttpRequest,
    served: ServedRequest | None,
    treatment: Treatment,
) -> Any:
    attempts = ViewAttempts.of(request, treatment)
    if attempts is None:
        return await _aattempt(call, request, served, treatment)
    while True:
        with attempts.recorded():
            try:
                response = await _aattempt(
                    attempts.acalling(call), request, served, treatment, attempts
                )
                return attempts.tell(response)
            except Exception as error:  # noqa: BLE001 - raised again unless it is transient
                delay = attempts.delay_or_raise(error)
        await asyncio.sleep(delay)
        attempts.prepare()


def _attempt(
    call: Callable[[], Any],
    request: HttpRequest,
    served: ServedRequest | None,
    treatment: Treatment,
    attempt: ViewAttempt | None = None,
) -> Any:
    number = 1 if attempt is None else attempt.number
    blocks = ViewBlocks(treatment, number, home=None)
    try:
        response = call()
        if _is_deferred(response, request, served, treatment, blocks):
            return response
    except BaseException as error:
        final = blocks.close(error)
        if final is None or final is error:
            raise
        raise final from final.__cause__ or error
    if (failure := blocks.close(None)) is not None:
        raise failure
    if blocks.wrote:
        treatment.first_runs.end()
    return response


async def _aattempt(
    call: Callable[[], Awaitable[Any]],
    request: HttpRequest,
    served: ServedRequest | None,
    treatment: Treatment,
    attempt: ViewAttempt | None = None,
) -> Any:
    number = 1 if attempt is None else attempt.number
    blocks = ViewBlocks(treatment, number, home=_home(served, treatment))
    try:
        response = await call()
        if _is_deferred(response, request, served, treatment, blocks):
            return response
    except BaseException as error:
        final = await blocks.aclose(error)
        if final is None or final is error:
            raise
        raise final from final.__cause__ or error
    if (failure := await blocks.aclose(None)) is not None:
        raise failure
    if blocks.wrote:
        treatment.first_runs.end()
    return response


def _home(served: ServedRequest | None, treatment: Treatment) -> asyncio.AbstractEventLoop | None:
    """The loop that will still exist when the transactions end, if there is one."""
    if treatment.rendering and served is not None and served.is_in_sync_stack:
        return None
    return asyncio.get_running_loop()


def _is_deferred(
    response: Any,
    request: HttpRequest,
    served: ServedRequest | None,
    treatment: Treatment,
    blocks: ViewBlocks,
) -> bool:
    """Check the view's response; True if its rendering will end the transactions."""
    if not hasattr(response, "status_code"):
        return False  # Django will report that
    if treatment.rollback_on(request, response):
        blocks.give_up()
    elif served is not None and can_wait_for_rendering(response, treatment, blocks):
        served.deferred_render = DeferredRender(response, request, treatment, blocks)
        served.deferred_render.attach()
        return True
    return False
