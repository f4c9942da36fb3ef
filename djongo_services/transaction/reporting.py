"""Tell the log, the signals and the tracer how a transaction went."""

from __future__ import annotations

import logging
import time
from typing import Literal

from djongo_services.transaction.signals import transaction_finished, transaction_retried
from djongo_services.transaction.state import Transaction

Outcome = Literal["committed", "rolled back", "unknown"]

logger = logging.getLogger("djongo_services.transaction")

_LEVELS: dict[Outcome, int] = {
    "committed": logging.DEBUG,
    "rolled back": logging.INFO,
    "unknown": logging.ERROR,
}


def finished(transaction: Transaction, outcome: Outcome, reason: BaseException | None) -> None:
    """The structured fields are ``using``, ``outcome``, ``reason``, ``attempt``, ``duration``."""
    level = _LEVELS[outcome]
    if not transaction_finished.receivers and not logger.isEnabledFor(level):
        return
    duration = time.monotonic() - transaction.started
    fields = {
        "using": transaction.alias,
        "outcome": outcome,
        "attempt": transaction.attempt,
        "duration": duration,
    }
    logger.log(
        level,
        "Transaction on %r %s after %.1f ms, attempt %d%s",
        transaction.alias,
        "has an unknown result" if outcome == "unknown" else outcome,
        duration * 1000,
        transaction.attempt,
        "" if reason is None else f": {type(reason).__name__}",
        extra={**fields, "reason": None if reason is None else type(reason).__name__},
    )
    transaction_finished.send_robust(
        sender=Transaction, **fields, reason=reason, wrote=transaction.wrote
    )


def retried(using: str, attempt: int, reason: BaseException, delay: float) -> None:
    logger.info(
        "Transaction on %r is tried again in %.0f ms, attempt %d: %s",
        using,
        delay * 1000,
        attempt,
        type(reason).__name__,
        extra={"using": using, "attempt": attempt, "reason": type(reason).__name__, "delay": delay},
    )
    transaction_retried.send_robust(
        sender=Transaction, using=using, attempt=attempt, reason=reason, delay=delay
    )
