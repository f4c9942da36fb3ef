"""The attempts of one view, where it is safe to run it again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol

from django.db import connections as databases
from django.db import transaction as django_transaction
from django.http import HttpRequest

from djongo_services.transaction.errors import is_transient, is_unknown_commit
from djongo_services.transaction.instances import Recorder, recorded
from djongo_services.transaction.requests.replay import Replay
from djongo_services.transaction.requests.treatment import Treatment
from djongo_services.transaction.retry import Attempts

logger = logging.getLogger("djongo_services.transaction")

HEADER = "X-Transaction-Attempt"
"""Of a response that took more than one attempt: the number of the one that succeeded."""


class Attempt(Protocol):
    @property
    def number(self) -> int: ...


class ViewAttempts:
    """Runs a view again as long as MongoDB asks for it and the request can be put back.

    ``request.transaction_attempt`` tells the view the number of the attempt, from 1.
    """

    def __init__(self, request: HttpRequest, treatment: Treatment, replay: Replay) -> None:
        self._request = request
        self._replay = replay
        self._keys = [connection.key for connection, _ in treatment.blocks]
        self._attempts = Attempts(treatment.blocks[0][0].alias, treatment.attempts)
        self._recorders: list[Recorder] = []
        self._streamed = False
        self._set_number()

    @classmethod
    def of(cls, request: HttpRequest, treatment: Treatment) -> ViewAttempts | None:
        """None when there is one attempt only: nobody asked for more, the view is part of an open
        transaction, or its request cannot be put back."""
        if treatment.attempts < 2:
            return None
        if any(Attempts(connection.alias).is_joined() for connection, _ in treatment.blocks):
            return None
        replay = Replay.of(request, treatment.body_limit)
        return None if replay is None else cls(request, treatment, replay)

    @property
    def number(self) -> int:
        return self._attempts.number

    def calling(self, call: Callable[[], Any]) -> Callable[[], Any]:
        def view() -> Any:
            response = call()
            self._streamed = getattr(response, "streaming", False)
            return response

        return view

    def acalling(self, call: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
        async def view() -> Any:
            response = await call()
            self._streamed = getattr(response, "streaming", False)
            return response

        return view

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Remember the model instances that the attempt saves or deletes."""
        with contextlib.ExitStack() as stack:
            found = [stack.enter_context(recorded(key)) for key in self._keys]
            self._recorders = [recorder for recorder in found if recorder is not None]
            yield

    @contextlib.contextmanager
    def savepoints(self) -> Iterator[None]:
        """Undo with an attempt what it wrote to SQL within ATOMIC_REQUESTS."""
        with contextlib.ExitStack() as stack:
            for wrapper in databases.all(initialized_only=True):
                if wrapper.settings_dict["ATOMIC_REQUESTS"] and wrapper.in_atomic_block:
                    stack.enter_context(django_transaction.atomic(using=wrapper.alias))
            yield

    def delay_or_raise(self, error: Exception) -> float:
        """Seconds until the next attempt; raises ``error`` when there is to be none."""
        if not is_unknown_commit(error):
            for recorder in self._recorders:
                recorder.restore()
        if is_transient(error) and (why := self._why_not()):
            logger.warning(
                "A view is not tried again, because %s.", why, extra={"request": self._request}
            )
            raise error
        return self._attempts.delay_or_raise(error, None)

    def prepare(self) -> None:
        self._replay.restore()
        self._set_number()

    def tell(self, response: Any) -> Any:
        if self.number > 1 and hasattr(response, "headers"):
            response.headers[HEADER] = str(self.number)
        return response

    def _why_not(self) -> str | None:
        if self._streamed:
            return "its response is streaming"
        return self._replay.why_impossible()

    def _set_number(self) -> None:
        self._request.transaction_attempt = self.number  # type: ignore[attr-defined]  # ours
