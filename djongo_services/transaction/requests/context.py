"""The request that a context serves, and what the middleware knows about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest

from djongo_services.transaction.causal_consistency import CLOCKS, Clocks, Times
from djongo_services.transaction.requests.token import NAME, Tokens, read_token
from djongo_services.transaction.requests.view_policy import Treatment, ViewPolicy
from djongo_services.transaction.state import Key

if TYPE_CHECKING:
    from djongo_services.transaction.requests.view_blocks import DeferredRender


class ServedRequest(Clocks):
    """A request from the middleware's beginning to its end; all contexts of the request share
    it."""

    __slots__ = (
        "_tokens",
        "deferred_render",
        "is_choosing_view",
        "is_in_sync_stack",
        "policy",
        "request",
        "treatment",
    )

    def __init__(
        self, request: HttpRequest, policy: ViewPolicy, *, is_in_sync_stack: bool = False
    ) -> None:
        super().__init__()
        self.request = request
        self.policy = policy
        self.is_in_sync_stack = is_in_sync_stack
        self.treatment: Treatment | None = None
        """The treatment of the view that Django chose; None before that."""
        self.is_choosing_view = False
        self.deferred_render: DeferredRender | None = None
        """The view's transactions, until its response is rendered."""
        self._tokens: Tokens | None = None

    def known_times(self, key: Key) -> Times:
        return self.tokens.get(key, (None, None))

    @property
    def tokens(self) -> Tokens:
        """What the client's earlier requests wrote, if it is stored and valid; read once."""
        if self._tokens is None:
            self._tokens = {}  # if reading them needs them: for sessions in MongoDB
            self._tokens = read_token(self.request, self.policy.settings)
            for key, clock in self.used().items():
                clock.advance(self._tokens.get(key, (None, None)))
        return self._tokens

    async def aload_session(self) -> None:
        """Load the tokens of a session, which must not be read in the loop."""
        session = getattr(self.request, "session", None)
        if session is not None and self.policy.settings.read_your_writes == "session":
            await session.aget(NAME)


def served() -> ServedRequest | None:
    clocks = CLOCKS.get()
    return clocks if isinstance(clocks, ServedRequest) and not clocks.ended else None
