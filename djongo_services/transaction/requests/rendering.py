"""A view's transactions, left open until its template response has been rendered.

Between the view and the rendering Django calls the middleware's ``process_template_response``, each
perhaps in a context of its own. The transactions are suspended meanwhile: what these middleware do
is outside of them, as it is without this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from djongo_services.transaction.requests.blocks import ViewBlocks
from djongo_services.transaction.requests.treatment import Treatment

if TYPE_CHECKING:
    from djongo_services.transaction.requests.served import ServedRequest


def can_wait_for_rendering(response: Any, treatment: Treatment, blocks: ViewBlocks) -> bool:
    return (
        treatment.rendering
        and callable(getattr(response, "render", None))
        and not getattr(response, "is_rendered", True)
        and not iscoroutinefunction(response.render)
        and blocks.can_be_suspended()
    )


class LeftOpen:
    """Stands in for ``response.render`` and ends the transactions when it has rendered."""

    def __init__(
        self, response: Any, request: HttpRequest, treatment: Treatment, blocks: ViewBlocks
    ) -> None:
        self._response = response
        self._request = request
        self._treatment = treatment
        self._blocks: ViewBlocks | None = blocks

    def attach(self, served: ServedRequest) -> None:
        assert self._blocks is not None
        self._blocks.suspend()
        self._response.render = self
        served.left_open = self

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
            better = _close(blocks, error)
            if better is None or better is error:
                raise
            raise better from better.__cause__ or error
        if (failure := _close(blocks, None)) is not None:
            raise failure
        return rendered

    def end(self, response: HttpResponseBase | None) -> None:
        """At the request's end, should nothing have been rendered."""
        blocks = self._prepare_end(response)
        if blocks is not None and (failure := _close(blocks, None)) is not None:
            raise failure

    async def aend(self, response: HttpResponseBase | None) -> None:
        blocks = self._prepare_end(response)
        if blocks is not None and (failure := await blocks.aclose(None)) is not None:
            raise failure

    def _take(self) -> ViewBlocks | None:
        """The blocks, once; the response is again as the view made it."""
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
