"""The attempts of one view, if it is safe to run it again, with its request restored each time.

What Django keeps in the request is restored: its attributes, the body and the uploaded files, the
session, the messages and the user. What a view changes elsewhere (a cache, another database, sent
mail) cannot be restored, so a view runs again only if its author asked for it.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Protocol, cast

from django.core.files.uploadedfile import UploadedFile
from django.db import connections as databases
from django.db import transaction as django_transaction
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from djongo_services.transaction.errors import is_transient, is_unknown_commit
from djongo_services.transaction.model_state import Recorder, recorded
from djongo_services.transaction.requests.view_policy import Treatment
from djongo_services.transaction.retry import Attempts

logger = logging.getLogger("djongo_services.transaction")

HEADER = "X-Transaction-Attempt"
"""A header of a response that took more than one attempt: the number of the successful one."""


class ViewAttempt(Protocol):
    @property
    def number(self) -> int: ...


class ViewAttempts:
    """Runs a view again as long as MongoDB asks for it and the request can be restored.

    ``request.transaction_attempt`` is the number of the attempt, from 1.
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
        """None if there is only one attempt: no more were requested, the view is part of an open
        transaction, or its request cannot be restored."""
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
        """Record the model instances that the attempt saves or deletes."""
        with contextlib.ExitStack() as stack:
            found = [stack.enter_context(recorded(key)) for key in self._keys]
            self._recorders = [recorder for recorder in found if recorder is not None]
            yield

    @contextlib.contextmanager
    def savepoints(self) -> Iterator[None]:
        """Roll back what the attempt wrote to SQL within ATOMIC_REQUESTS, together with it."""
        with contextlib.ExitStack() as stack:
            for wrapper in databases.all(initialized_only=True):
                if wrapper.settings_dict["ATOMIC_REQUESTS"] and wrapper.in_atomic_block:
                    stack.enter_context(django_transaction.atomic(using=wrapper.alias))
            yield

    def delay_or_raise(self, error: Exception) -> float:
        """Seconds until the next attempt; raises ``error`` if there is none."""
        if not is_unknown_commit(error):
            for recorder in self._recorders:
                recorder.restore()
        if is_transient(error) and (why := self._why_not()):
            logger.warning(
                "A view is not retried, because %s.", why, extra={"request": self._request}
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


# The state of a request before its view, so that the view can run again.
_SESSION_KEY = "_SessionBase__session_key"
_SESSION_STATE = ("_session_cache", _SESSION_KEY, "accessed", "modified")
_MESSAGES_STATE = ("_loaded_data", "_queued_messages", "added_new", "used")


class Replay:
    """A copy that :meth:`of` makes before the first attempt."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._attributes = dict(vars(request))
        self._meta = dict(request.META)
        self._session = _state(getattr(request, "session", None), _SESSION_STATE)
        self._messages = _state(getattr(request, "_messages", None), _MESSAGES_STATE)
        self._user = _user_state(self._attributes.get("user"))

    @classmethod
    def of(cls, request: HttpRequest, body_limit: int) -> Replay | None:
        """None if the body is larger than ``body_limit`` bytes, or was partly read already.

        A body that was not read yet is read now, and is then available as ``request.body``.
        """
        if not hasattr(request, "_body") and not _is_parsed(request):
            if request._read_started:  # type: ignore[attr-defined]  # Django's own
                return None
            if _size(request) > body_limit:
                return None
            request.body  # noqa: B018  (reads it)
        return cls(request)

    def why_impossible(self) -> str | None:
        """What the attempt did that cannot be restored; None if everything can."""
        session = self._attributes.get("session")
        if session is not None and vars(session).get(_SESSION_KEY) != self._session[_SESSION_KEY]:
            return "it changed the key of the session, as a login does"
        if _is_parsed_before(self._attributes):
            for file in _files(self._attributes):
                if file.closed or _is_moved(file):
                    return f"it moved or closed the uploaded file {file.name!r}"
        return None

    def restore(self) -> None:
        request = self._request
        if "_files" not in self._attributes:
            for file in _files(vars(request)):
                file.close()
        vars(request).clear()
        vars(request).update(self._attributes)
        request.META.clear()
        request.META.update(self._meta)
        self._restore_body()
        _put_back(self._attributes.get("session"), self._session)
        _put_back(self._attributes.get("_messages"), self._messages)
        _restore_user(self._attributes.get("user"), self._user)

    def _restore_body(self) -> None:
        for file in _files(self._attributes):
            file.seek(0)
        if "_body" in self._attributes:
            stream = io.BytesIO(cast(bytes, self._attributes["_body"]))
            self._request._stream = stream


def _is_parsed(request: HttpRequest) -> bool:
    return _is_parsed_before(vars(request))


def _is_parsed_before(attributes: dict[str, Any]) -> bool:
    return "_files" in attributes


def _files(attributes: dict[str, Any]) -> Iterator[UploadedFile[Any]]:
    files = attributes.get("_files")
    if files is not None:
        for _, listed in files.lists():
            yield from listed


def _is_moved(file: UploadedFile[Any]) -> bool:
    path = getattr(file, "temporary_file_path", None)
    return path is not None and not os.path.exists(path())


def _size(request: HttpRequest) -> int:
    """The number of bytes of the body, which may have no Content-Length under ASGI."""
    try:
        return int(request.META.get("CONTENT_LENGTH") or "")
    except ValueError:
        pass
    stream = request._stream
    if not (hasattr(stream, "seekable") and stream.seekable()):
        return 0  # under WSGI there is no body without its length
    here = stream.tell()
    size: int = stream.seek(0, os.SEEK_END)
    stream.seek(here)
    return size - here


def _state(owner: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Copies of these attributes, as far as they exist."""
    if owner is None:
        return {}
    there = vars(owner)
    return {name: copy.deepcopy(there[name]) for name in names if name in there}


def _put_back(owner: Any, state: dict[str, Any]) -> None:
    if owner is None:
        return
    for name in (*_SESSION_STATE, *_MESSAGES_STATE):
        if name in vars(owner) and name not in state:
            delattr(owner, name)
    for name, value in state.items():
        setattr(owner, name, copy.deepcopy(value))


def _user_state(user: Any) -> dict[str, Any] | None:
    """The state of a user that was loaded already; None otherwise."""
    if isinstance(user, LazyObject):
        user = vars(user)["_wrapped"]
        if user is empty:
            return None
    return copy.copy(vars(user)) if hasattr(user, "__dict__") else None


def _restore_user(user: Any, state: dict[str, Any] | None) -> None:
    if isinstance(user, LazyObject):
        if state is None:
            vars(user)["_wrapped"] = empty
            return
        user = vars(user)["_wrapped"]
    if state is not None:
        vars(user).clear()
        vars(user).update(state)
