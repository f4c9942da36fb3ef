"""The atomic blocks around one attempt of a view."""

from __future__ import annotations

import asyncio

from djongo_services.transaction import delayed, state
from djongo_services.transaction.atomic import aend_block, end_block
from djongo_services.transaction.beginning import Block, Wanted
from djongo_services.transaction.requests.treatment import Treatment
from djongo_services.transaction.state import Level


class ViewBlocks:
    """One per connection. They begin with the first operation and end together."""

    __slots__ = ("_blocks",)

    def __init__(
        self, treatment: Treatment, attempt: int, home: asyncio.AbstractEventLoop | None
    ) -> None:
        self._blocks: list[Block] = []
        try:
            for connection, wanted in treatment.blocks:
                if attempt > 1:
                    wanted = Wanted(options=wanted.options, attempt=attempt)
                self._blocks.append(delayed.enter(connection, wanted, home=home))
        except BaseException as error:
            self.close(error)
            raise

    def give_up(self) -> None:
        """Have them rolled back quietly: the response tells what went wrong."""
        for block in self._blocks:
            block.transaction.rollback_only = True
            if block.outermost:
                block.transaction.rollback_cause = None

    def close(self, error: BaseException | None) -> BaseException | None:
        """The exception to go on with. A block that fails to commit rolls back those around it."""
        while self._blocks:
            try:
                error = end_block(self._blocks.pop(), error)
            except BaseException as failure:  # noqa: BLE001 - of a hook; the caller raises it
                error = failure
        return error

    async def aclose(self, error: BaseException | None) -> BaseException | None:
        while self._blocks:
            try:
                error = await aend_block(self._blocks.pop(), error)
            except BaseException as failure:  # noqa: BLE001 - of a hook; the caller raises it
                error = failure
        return error

    def suspend(self) -> None:
        """Step out without ending anything, to step in again in another context."""
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
        """Whether an event loop has to end them."""
        return any(hasattr(block.transaction.session, "__aenter__") for block in self._blocks)
