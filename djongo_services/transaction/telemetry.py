"""The span of a transaction, where OpenTelemetry's API is installed (the extra ``[otel]``).

Name and attribute are those of the MongoDB driver specification ("OpenTelemetry", section
Transactions): a span ``transaction`` of kind client whose only attribute is ``db.system``.
Without a configured SDK the API's own spans do nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from djongo_services import __version__

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
    # It finds the provider that the application configures later by itself.
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
        """No longer the current one; in the context that began it, and once."""
        token, self._token = self._token, None
        if token is not None:
            otel_context.detach(token)

    def end(self, error: BaseException | None) -> None:
        if self._span is not None:
            if error is not None:
                self._span.record_exception(error)
                self._span.set_status(trace.Status(trace.StatusCode.ERROR, str(error)))
            self._span.end()
