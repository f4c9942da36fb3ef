"""The atomic blocks around one attempt of a view, which stay open until its template response is
rendered.

Between the view and the rendering, Django calls the middleware's ``process_template_response``,
each perhaps in a context of its own. The transactions are suspended in the meantime: what these
middleware do is outside of them, as it is otherwise.
"""

from __future__ import annotations

import asyncio
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from djongo_services.transaction import lazy_blocks, state
from djongo_services.transaction.atomic import aend_block, end_block
from djongo_services.transaction.blocks import Block, BlockOptions
from djongo_services.transaction.requests.view_policy import Treatment
from djongo_services.transaction.state import Level


class ViewBlocks:
    """One block per connection. They begin with the first operation and end together."""

    __slots__ = ("_blocks", "wrote")

    def __init__(
        self, treatment: Treatment, attempt: int, home: asyncio.AbstractEventLoop | None
    ) -> None:
        self.wrote = False
        """Whether one of the closed blocks had sent a write."""
        self._blocks: list[Block] = []
        try:
            for connection, wanted in treatment.blocks:
                if attempt > 1:
                    wanted = BlockOptions(options=wanted.options, attempt=attempt)
                self._blocks.append(lazy_blocks.enter(connection, wanted, home=home))
        except BaseException as error:
            self.close(error)
            raise

    def give_up(self) -> None:
        """Roll them back without an exception: the response describes what went wrong."""
        for block in self._blocks:
            if block.savepoint is not None or block.django is not None:
                block.given_up = RuntimeError("the view's response reports a failure")
                continue
            block.transaction.rollback_only = True
            if block.outermost:
                block.transaction.rollback_cause = None

    def close(self, error: BaseException | None) -> BaseException | None:
        """Close the blocks, and return the exception to raise. A block that fails to commit rolls
        back those around it."""
        while self._blocks:
            self.wrote |= self._blocks[-1].transaction.wrote
            try:
                error = end_block(self._blocks.pop(), error)
            except BaseException as failure:  # noqa: BLE001 - of a hook; the caller raises it
                error = failure
        return error

    async def aclose(self, error: BaseException | None) -> BaseException | None:
        while self._blocks:
            self.wrote |= self._blocks[-1].transaction.wrote
            try:
                error = await aend_block(self._blocks.pop(), error)
            except BaseException as failure:  # noqa: BLE001 - of a hook; the caller raises it
                error = failure
        return error

    def suspend(self) -> None:
        """Leave the blocks without ending them, to enter them again in another context."""
        for block in reversed(self._blocks):
            state.pop(block.token)
            if block.span is not None:
                block.span.leave()

    def resume(self) -> None:
        for block in self._blocks:
            block.token = state.push(Level(block.transaction))

    def can_be_suspended(self) -> bool:
        return all(block.outermost for block in self._blocks)

    def begun_in_a_loop(self) -> bool:
        """Whether an event loop must end them."""
        return any(hasattr(block.transaction.session, "__aenter__") for block in self._blocks)


# Transactions that stay open until a template response is rendered.
def can_wait_for_rendering(response: Any, treatment: Treatment, blocks: ViewBlocks) -> bool:
    return (
        treatment.rendering
        and callable(getattr(response, "render", None))
        and not getattr(response, "is_rendered", True)
        and not iscoroutinefunction(response.render)
        and blocks.can_be_suspended()
    )


class DeferredRender:
    """Replaces ``response.render`` and ends the transactions after rendering."""

    def __init__(
        self, response: Any, request: HttpRequest, treatment: Treatment, blocks: ViewBlocks
    ) -> None:
        self._response = response
        self._request = request
        self._treatment = treatment
        self._blocks: ViewBlocks | None = blocks

    def attach(self) -> None:
        assert self._blocks is not None
        self._blocks.suspend()
        self._response.render = self

    def __call__(self) -> Any:
        blocks = self._take()
        if blocks is None:
            return self._response.render()
        blocks.resume()
        try:
            rendered = self._response.render()
            if self._treatment.rollback_on(self._request, rendered):
                blocks.give_up()
        except BaseException as error:
            final = _close(blocks, error)
            if final is None or final is error:
                raise
            raise final from final.__cause__ or error
        if (failure := _close(blocks, None)) is not None:
            raise failure
        return rendered

    def end(self, response: HttpResponseBase | None) -> None:
        """End the transactions at the request's end, if nothing was rendered."""
        blocks = self._prepare_end(response)
        if blocks is not None and (failure := _close(blocks, None)) is not None:
            raise failure

    async def aend(self, response: HttpResponseBase | None) -> None:
        blocks = self._prepare_end(response)
        if blocks is not None and (failure := await blocks.aclose(None)) is not None:
            raise failure

    def _take(self) -> ViewBlocks | None:
        """The blocks, once; the response is restored as the view made it."""
        blocks, self._blocks = self._blocks, None
        vars(self._response).pop("render", None)
        return blocks

    def _prepare_end(self, response: HttpResponseBase | None) -> ViewBlocks | None:
        blocks = self._take()
        if blocks is not None:
            blocks.resume()
            if response is None or self._treatment.rollback_on(self._request, response):
                blocks.give_up()
        return blocks


def _close(blocks: ViewBlocks, error: BaseException | None) -> BaseException | None:
    if not blocks.begun_in_a_loop():
        return blocks.close(error)
    blocks.suspend()

    async def close() -> BaseException | None:
        blocks.resume()
        return await blocks.aclose(error)

    return async_to_sync(close)()
