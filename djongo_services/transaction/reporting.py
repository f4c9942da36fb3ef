"""Reporting the outcome of a transaction to the log, the signals and the tracer.

The sender of the signals is the class ``Transaction``.
"""

from __future__ import annotations

import logging
import time
from importlib import import_module
from typing import Any

from django.dispatch import Signal

from djongo_services import __version__
from djongo_services.transaction.state import ActiveTransaction, Outcome

transaction_finished = Signal()
"""Sent after an outermost block: ``using`` (alias), ``outcome`` ("committed", "rolled back" or
"unknown"), ``reason`` (the exception that caused it, or None), ``attempt`` (from 1), ``duration``
(seconds), ``wrote`` (whether it sent a write)."""

transaction_retried = Signal()
"""Sent before a further attempt: ``using``, ``attempt`` (the next one's number), ``reason`` (the
exception), ``delay`` (seconds until then)."""


logger = logging.getLogger("djongo_services.transaction")

_LEVELS: dict[Outcome, int] = {
    "committed": logging.DEBUG,
    "rolled back": logging.INFO,
    "unknown": logging.ERROR,
}


def finished(
    transaction: ActiveTransaction, outcome: Outcome, reason: BaseException | None
) -> None:
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
        sender=ActiveTransaction, **fields, reason=reason, wrote=transaction.wrote
    )


def retried(using: str, attempt: int, reason: BaseException, delay: float) -> None:
    logger.info(
        "Transaction on %r is retried in %.0f ms, attempt %d: %s",
        using,
        delay * 1000,
        attempt,
        type(reason).__name__,
        extra={"using": using, "attempt": attempt, "reason": type(reason).__name__, "delay": delay},
    )
    transaction_retried.send_robust(
        sender=ActiveTransaction, using=using, attempt=attempt, reason=reason, delay=delay
    )


# The span of a transaction, if OpenTelemetry's API is installed (the extra `[otel]`).
#
# Name and attribute are those of the MongoDB driver specification ("OpenTelemetry", section
# Transactions): a span `transaction` of kind client whose only attribute is `db.system`. Without a
# configured SDK the API's own spans do nothing.
trace: Any
otel_context: Any
try:
    trace, otel_context = (
        import_module("opentelemetry.trace"),
        import_module("opentelemetry.context"),
    )
except ImportError:
    trace = None
else:
    # It finds a provider that the application configures later.
    _tracer = trace.get_tracer("djongo_services", __version__)


class Span:
    """The transaction's span, current until :meth:`end`; operations inside become its children."""

    __slots__ = ("_span", "_token")

    def __init__(self) -> None:
        self._span: Any = None
        self._token: Any = None
        if trace is None:
            return
        span = _tracer.start_span(
            "transaction", kind=trace.SpanKind.CLIENT, attributes={"db.system": "mongodb"}
        )
        if span.is_recording():
            self._span = span
            self._token = otel_context.attach(trace.set_span_in_context(self._span))

    def leave(self) -> None:
        """End being the current span; in the context that began it, and once."""
        token, self._token = self._token, None
        if token is not None:
            otel_context.detach(token)

    def end(self, error: BaseException | None) -> None:
        if self._span is not None:
            if error is not None:
                self._span.record_exception(error)
                self._span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
            self._span.end()
