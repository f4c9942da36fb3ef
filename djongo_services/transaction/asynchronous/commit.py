"""Committing and rolling back without leaving a session or a server transaction behind."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from djongo_services.server_errors import NO_SUCH_TRANSACTION
from djongo_services.transaction import clients
from djongo_services.transaction.commit import (
    FENCE,
    SHORTEST,
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
from djongo_services.transaction.state import ENDING, ActiveTransaction


async def end(transaction: ActiveTransaction, error: BaseException | None) -> Ending:
    """End the server's transaction and the session; errors are returned in the Ending.

    ``error`` is the exception that leaves the block.
    """
    if transaction.pid != os.getpid():
        return Ending(outcome="unknown")  # a forked child leaves the block of its parent
    token = ENDING.set(transaction)
    try:
        await _wait_for_the_last_operation(transaction, error)
        return await _commit_or_roll_back(transaction, error)
    finally:
        transaction.lock.leave()
        transaction.forget_sessions()
        ENDING.reset(token)


async def _wait_for_the_last_operation(
    transaction: ActiveTransaction, error: BaseException | None
) -> None:
    lock = transaction.lock
    if not lock.try_enter() and not await lock.aenter(patience(error)):
        give_up_waiting(transaction)
    transaction.ended = True
    transaction.ending()


async def _commit_or_roll_back(
    transaction: ActiveTransaction, error: BaseException | None
) -> Ending:
    if transaction.session is None:
        return never_begun(transaction, error)
    try:
        if error is None and not transaction.rollback_only:
            return await _commit(transaction)
        await _roll_back(transaction)
        return rolled_back(transaction, error)
    finally:
        await _release(transaction)


async def _commit(transaction: ActiveTransaction) -> Ending:
    if not transaction.transactional:
        return Ending(outcome="committed")
    if not transaction.wrote:
        # A commit of reads alone waits for the majority, without any benefit.
        await _roll_back(transaction)
        return Ending(outcome="committed")
    try:
        await _commit_until_known(transaction)
    except BaseException as error:  # noqa: BLE001 - the Ending carries it to the block
        await _kill(transaction, error)
        return commit_failed(transaction, error)
    return Ending(outcome="committed")


async def _commit_until_known(transaction: ActiveTransaction) -> None:
    began = time.monotonic()
    try:
        await transaction.session.commit_transaction()
        return
    except PyMongoError as error:
        if final(error):
            raise
    retry = CommitRetry(began)
    while True:
        # An election takes seconds; the delays grow, and stop when the allowed time is over.
        await asyncio.sleep(retry.delay())
        try:
            with pymongo.timeout(retry.remaining()):
                await transaction.session.commit_transaction()
            return
        except PyMongoError as error:
            if final(error) or retry.remaining() <= SHORTEST:
                raise


async def _roll_back(transaction: ActiveTransaction) -> None:
    session = transaction.session
    if not session.in_transaction:
        return
    if not transaction.interrupted:
        await session.abort_transaction()
    if transaction.interrupted:
        with within_rollback_timeout(transaction):
            await _fence_off(transaction)


async def _fence_off(transaction: ActiveTransaction) -> None:
    """End a transaction that has an operation which may still be on its way to the server.

    An abort could overtake that operation, which would then begin the transaction again and keep it
    open for a minute. A later transaction number on the same session makes the server refuse
    everything that belongs to the earlier one, whenever it arrives.
    """
    session = transaction.session
    if session.in_transaction and clients.nothing_sent(session):
        await session.abort_transaction()
        return
    await _kill_session(session)
    if session.in_transaction:
        await session.abort_transaction()
    await session.start_transaction()
    await session.client[transaction.database][FENCE].find_one({}, session=session)
    await session.abort_transaction()
    await _kill_session(session)  # if that abort was lost as well


async def _kill(transaction: ActiveTransaction, error: BaseException) -> None:
    """End the transaction on the server: after a commit that failed the driver refuses to abort,
    but the server may still wait."""
    if not (isinstance(error, OperationFailure) and error.code == NO_SUCH_TRANSACTION):
        with within_rollback_timeout(transaction):
            await _kill_session(transaction.session)


async def _kill_session(session: Any) -> None:
    await session.client.admin.command("killSessions", [dict(session.session_id)])


async def _release(transaction: ActiveTransaction) -> None:
    clients.release_linked_sessions(transaction)
    give_times_back(transaction)
    await transaction.end_session()
