"""Reading from MongoDB while a response is streamed, after its view has ended.

The server consumes a streaming response when the view, its transactions and the middleware are
done. Its reads are outside of all of them; wrap its content to keep them causally consistent with
what the view did, and with one another.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar, overload

from djongo_services.transaction.causal_consistency import CLOCKS, Clocks

T = TypeVar("T")


@overload
def streamed(content: AsyncIterable[T], *, snapshot: bool = False) -> AsyncIterator[T]: ...
@overload
def streamed(content: Iterable[T], *, snapshot: bool = False) -> Iterator[T]: ...
def streamed(content: Any, *, snapshot: bool = False) -> Any:
    """``StreamingHttpResponse(streamed(rows()))``: keep the request's session for the stream.

    :param content: an iterable or asynchronous iterable, such as a generator that reads.
    :param snapshot: read one moment in all of the stream, from MongoDB 5.0 on, for as long as the
        server keeps it (minSnapshotHistoryWindowInSeconds, five minutes by default).
    """
    request = CLOCKS.get()
    if hasattr(content, "__aiter__"):
        return _astream(aiter(content), request, snapshot)
    return _stream(iter(content), request, snapshot)


def _stream(steps: Iterator[T], request: Clocks | None, snapshot: bool) -> Iterator[T]:
    clocks = _continued(request, snapshot)
    try:
        while True:
            # The server may request each chunk in another context, and do its own work in between.
            token = CLOCKS.set(clocks)
            try:
                chunk = next(steps)
            except StopIteration:
                return
            finally:
                CLOCKS.reset(token)
            yield chunk
    finally:
        if (close := getattr(steps, "close", None)) is not None:
            close()


async def _astream(
    steps: AsyncIterator[T], request: Clocks | None, snapshot: bool
) -> AsyncIterator[T]:
    clocks = _continued(request, snapshot)
    try:
        while True:
            token = CLOCKS.set(clocks)
            try:
                chunk = await anext(steps)
            except StopAsyncIteration:
                return
            finally:
                CLOCKS.reset(token)
            yield chunk
    finally:
        if (close := getattr(steps, "aclose", None)) is not None:
            await close()


class _AllSnapshots(Clocks):
    """Clocks that read one moment on every connection."""

    def __getitem__(self, key: Any) -> Any:
        clock = super().__getitem__(key)
        clock.snapshot = not clock.wrote
        return clock


def _continued(request: Clocks | None, snapshot: bool) -> Clocks:
    """New clocks that start with the request's current times when the first step is taken: its
    transactions have ended by then."""
    used = {} if request is None else request.used()
    times = {key: (clock.cluster_time, clock.operation_time) for key, clock in used.items()}
    return (_AllSnapshots if snapshot else Clocks)(times)
