"""The asyncio flavour of :mod:`~djongo_services.transaction.ending`, safe from cancellation."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pymongo
from asgiref.sync import sync_to_async
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.transaction import driver, ending
from djongo_services.transaction.ending import (
    FENCE,
    CommitRetry,
    Ending,
    commit_failed,
    final,
    give_times_back,
    give_up_waiting,
    never_begun,
    patience,
    rolled_back,
    within_rollback_timeout,
)
from djongo_services.transaction.errors import NO_SUCH_TRANSACTION
from djongo_services.transaction.state import ENDING, Transaction

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in a task of its own until it is done, and deliver a cancellation after that.

    So a cancelled block still ends its transaction, and a commit that was sent is waited for.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            raise cancelled from failure
        raise cancelled
    return task.result()


async def aend(transaction: Transaction, error: BaseException | None) -> Ending:
    """End the server's transaction and the session; see :func:`ending.end`."""
    if isinstance(transaction.session, ClientSession):
        return await sync_to_async(ending.end, thread_sensitive=False)(transaction, error)
    if transaction.pid != os.getpid():
        return Ending(outcome="unknown")
    token = ENDING.set(transaction)
    try:
        await _wait_for_the_last_operation(transaction, error)
        return await _commit_or_roll_back(transaction, error)
    finally:
        transaction.gate.leave()
        transaction.forget_sessions()
        ENDING.reset(token)


async def _wait_for_the_last_operation(
    transaction: Transaction, error: BaseException | None
) -> None:
    gate = transaction.gate
    if not gate.try_enter(task=True) and not await gate.aenter(patience(error)):
        give_up_waiting(transaction)
    transaction.ended = True


async def _commit_or_roll_back(transaction: Transaction, error: BaseException | None) -> Ending:
    if transaction.session is None:
        return never_begun(transaction, error)
    try:
        if error is None and not transaction.rollback_only:
            return await _commit(transaction)
        await _roll_back(transaction)
        return rolled_back(transaction, error)
    finally:
        driver.let_go_of_twins(transaction)
        give_times_back(transaction)
        await transaction.session.end_session()


async def _commit(transaction: Transaction) -> Ending:
    if not transaction.transactional:
        return Ending(outcome="committed")
    if not transaction.wrote:
        await _roll_back(transaction)
        return Ending(outcome="committed")
    try:
        await _commit_until_known(transaction)
    except BaseException as error:  # noqa: BLE001 - the Ending carries it to the block
        if not (isinstance(error, OperationFailure) and error.code == NO_SUCH_TRANSACTION):
            with within_rollback_timeout(transaction):
                await _kill_session(transaction.session)
        return commit_failed(transaction, error)
    return Ending(outcome="committed")


async def _commit_until_known(transaction: Transaction) -> None:
    began = time.monotonic()
    try:
        await transaction.session.commit_transaction()
        return
    except PyMongoError as error:
        if final(error):
            raise
    retry = CommitRetry(began)
    while True:
        await asyncio.sleep(retry.delay())
        try:
            with pymongo.timeout(retry.remaining()):
                await transaction.session.commit_transaction()
            return
        except PyMongoError as error:
            if final(error) or retry.remaining() <= ending.SHORTEST:
                raise


async def _roll_back(transaction: Transaction) -> None:
    if not transaction.session.in_transaction:
        return
    if not transaction.interrupted:
        await transaction.session.abort_transaction()
    if transaction.interrupted:
        with within_rollback_timeout(transaction):
            await _fence_off(transaction)


async def _fence_off(transaction: Transaction) -> None:
    session = transaction.session
    if session.in_transaction and driver.nothing_sent(session):
        await session.abort_transaction()
        return
    await _kill_session(session)
    if session.in_transaction:
        await session.abort_transaction()
    await session.start_transaction()
    await session.client[transaction.database][FENCE].find_one({}, session=session)
    await session.abort_transaction()
    await _kill_session(session)  # should that abort have been lost as well


async def _kill_session(session: Any) -> None:
    await session.client.admin.command("killSessions", [dict(session.session_id)])
