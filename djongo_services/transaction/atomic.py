"""``atomic`` and ``aatomic``: blocks whose changes happen together or not at all."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from asgiref.sync import sync_to_async
from django.utils.asyncio import async_unsafe
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from djongo_services.connections import DEFAULT_ALIAS, connections
from djongo_services.transaction import blocks
from djongo_services.transaction.asynchronous.commit import end as aend
from djongo_services.transaction.blocks import Block, BlockOptions
from djongo_services.transaction.options import Options
from djongo_services.transaction.synchronous.commit import end
from djongo_services.transaction.uninterrupted import ato_the_end

P = ParamSpec("P")
R = TypeVar("R")

_PLAIN = BlockOptions()

_IN_A_LOOP = (
    "atomic() would block the event loop; use `async with aatomic():`, or call the function that "
    "uses it through sync_to_async."
)


class _Atomic:
    """An atomic block that can be opened again after it has ended, but not while it is open."""

    def __init__(self, using: str | None, wanted: BlockOptions) -> None:
        self.using = using or DEFAULT_ALIAS
        self.wanted = wanted
        self._block: Block | None = None

    def _refuse_if_open(self) -> None:
        if self._block is not None:
            raise RuntimeError(
                f"This atomic block on {self.using!r} is open already; create a new one for each "
                f"`with`."
            )

    def _close(self) -> Block:
        block, self._block = self._block, None
        if block is None:
            raise RuntimeError(f"This atomic block on {self.using!r} is not open.")
        return block


class Atomic(_Atomic):
    """What :func:`atomic` returns: a context manager, and a decorator of plain functions."""

    @async_unsafe(_IN_A_LOOP)
    def __enter__(self) -> Self:
        self._refuse_if_open()
        self._block = blocks.enter(connections[self.using], self.wanted)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        final = end_block(self._close(), error)
        if final is not None and final is not error:
            raise final

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        refuse_unless_plain(function, "atomic")

        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            with Atomic(self.using, self.wanted):
                return function(*args, **kwargs)

        return wrapper


class AsyncAtomic(_Atomic):
    """What :func:`aatomic` returns: an async context manager, and a decorator of async defs."""

    async def __aenter__(self) -> Self:
        self._refuse_if_open()
        self._block = await blocks.aenter(connections[self.using], self.wanted)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        final = await aend_block(self._close(), error)
        if final is not None and final is not error:
            raise final

    def __call__(self, function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        refuse_unless_async(function, "aatomic")

        @functools.wraps(function)
        async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            async with AsyncAtomic(self.using, self.wanted):
                return await function(*args, **kwargs)

        return wrapper


def end_block(block: Block, error: BaseException | None) -> BaseException | None:
    """Leave a block and, if it is the outermost one, end its transaction and run the hooks.

    Returns the exception to raise: ``error``, a better one, or that of a commit that failed.
    """
    final = blocks.leave(block, error)
    if not block.outermost:
        return final
    ended = end(block.transaction, final)
    blocks.finish(block, ended, final)
    block.transaction.hooks.run(ended.outcome)
    return ended.error or final


async def aend_block(block: Block, error: BaseException | None) -> BaseException | None:
    """The same for a block of the asyncio flavour; a cancellation waits until it is done."""
    final = blocks.leave(block, error)
    if not block.outermost:
        return final
    if block.has_work_left():
        return await ato_the_end(_aend_and_tell, block, final) or final
    return await _aend_and_tell(block, final) or final


async def _aend_and_tell(block: Block, error: BaseException | None) -> BaseException | None:
    # The client that carries the transaction is a blocking one if it is the backend's.
    blocking = isinstance(block.transaction.session, ClientSession)
    end_it = sync_to_async(end, thread_sensitive=False) if blocking else aend
    ended = await end_it(block.transaction, error)
    blocks.finish(block, ended, error)
    await block.transaction.hooks.arun(ended.outcome)
    return ended.error


@overload
def atomic(using: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def atomic(
    using: str | None = None,
    savepoint: bool = True,
    durable: bool = False,
    *,
    read_concern: ReadConcern | None = None,
    write_concern: WriteConcern | None = None,
    read_preference: Any = None,
    max_commit_time: float | None = None,
) -> Atomic: ...
def atomic(using: Any = None, savepoint: bool = True, durable: bool = False, **options: Any) -> Any:
    """Run a block, or a function, in one transaction on the connection ``using``.

    Every operation of that connection's client joins without an argument: the backend's ORM, raw
    PyMongo, called functions, and threads that copy the context. Nothing is sent before the first
    operation. A block that only reads ends without a commit.

    An inner block joins the outer one. MongoDB has no savepoints, so the whole transaction is
    rolled back when an inner block fails; on this package's engine only the inner block is.

    :param savepoint: as Django's, on this package's engine; elsewhere True is the same as False.
    :param durable: refuse to be an inner block (RuntimeError).
    :param read_concern: for all reads of the transaction; ``write_concern`` for its commit.
    :param read_preference: the server accepts ``ReadPreference.PRIMARY`` only.
    :param max_commit_time: seconds that the server may take for the commit.

    Raises TransactionsUnsupported on a standalone server, TransactionManagementError when an inner
    failure was swallowed, CommitResultUnknown when the server did not answer the commit in time,
    and PyMongo's error when the commit failed.
    """
    if callable(using):
        return Atomic(None, _PLAIN)(using)
    return Atomic(using, wanted(savepoint=savepoint, durable=durable, **options))


@overload
def aatomic(using: Callable[P, Awaitable[R]], /) -> Callable[P, Awaitable[R]]: ...
@overload
def aatomic(
    using: str | None = None,
    savepoint: bool = True,
    durable: bool = False,
    *,
    read_concern: ReadConcern | None = None,
    write_concern: WriteConcern | None = None,
    read_preference: Any = None,
    max_commit_time: float | None = None,
) -> AsyncAtomic: ...
def aatomic(
    using: Any = None, savepoint: bool = True, durable: bool = False, **options: Any
) -> Any:
    """:func:`atomic` for coroutines: AsyncMongoClient and the ORM's a-methods join it together.

    A cancelled block is rolled back before the cancellation propagates; a commit that has begun is
    completed first.
    """
    if callable(using):
        return AsyncAtomic(None, _PLAIN)(using)
    return AsyncAtomic(using, wanted(savepoint=savepoint, durable=durable, **options))


def wanted(
    *, savepoint: bool = True, durable: bool = False, attempt: int = 1, **options: Any
) -> BlockOptions:
    """Raises TypeError for an option that atomic() does not have, ValueError for a bad limit."""
    if savepoint and not durable and not options and attempt == 1:
        return _PLAIN
    if unknown := sorted(options.keys() - set(Options.__slots__)):
        raise TypeError(
            f"An atomic block has no option {unknown[0]!r}; it accepts savepoint, durable, "
            f"{', '.join(Options.__slots__)}."
        )
    given = Options(**options)
    if given.max_commit_time is not None and given.max_commit_time <= 0:
        raise ValueError("max_commit_time must be a positive number of seconds.")
    return BlockOptions(savepoint=savepoint, durable=durable, options=given, attempt=attempt)


def refuse_unless_plain(function: Any, name: str) -> None:
    """``name`` is that of the function's wrapper; its coroutine counterpart is prefixed with an
    a."""
    _refuse_unless_callable(function, name)
    label = getattr(function, "__qualname__", repr(function))
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"@{name} is for plain functions; {label} is async: use @a{name}.")
    if inspect.isgeneratorfunction(function):
        raise TypeError(
            f"@{name} cannot wrap the generator {label}, which would run after the block has "
            f"ended; write `with {name}():` inside of it."
        )


def refuse_unless_async(function: Any, name: str) -> None:
    plain = name.removeprefix("a")
    _refuse_unless_callable(function, name)
    label = getattr(function, "__qualname__", repr(function))
    if inspect.isasyncgenfunction(function):
        raise TypeError(
            f"@{name} cannot wrap the async generator {label}; write `async with {name}():` "
            f"inside of it."
        )
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"@{name} is for async functions; {label} is not async: use @{plain}.")


def _refuse_unless_callable(function: Any, name: str) -> None:
    if not callable(function):
        raise TypeError(f"@{name}(...) decorates a function, not {function!r}.")
