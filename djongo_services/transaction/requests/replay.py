"""A request as it was before its view, so that the view can run again.

What Django keeps in the request is put back: its attributes, the body and the uploaded files, the
session, the messages and the user. What a view changes elsewhere (a cache, another database, a
mail that was sent) is beyond this, hence a view is run again only when its author asked for it.
"""

from __future__ import annotations

import copy
import io
import os
from collections.abc import Iterator
from typing import Any, cast

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

_SESSION_KEY = "_SessionBase__session_key"
_SESSION_STATE = ("_session_cache", _SESSION_KEY, "accessed", "modified")
_MESSAGES_STATE = ("_loaded_data", "_queued_messages", "added_new", "used")


class Replay:
    """Made by :meth:`of` before the first attempt."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._attributes = dict(vars(request))
        self._meta = dict(request.META)
        self._session = _state(getattr(request, "session", None), _SESSION_STATE)
        self._messages = _state(getattr(request, "_messages", None), _MESSAGES_STATE)
        self._user = _user_state(self._attributes.get("user"))

    @classmethod
    def of(cls, request: HttpRequest, body_limit: int) -> Replay | None:
        """None when the body is larger than ``body_limit`` bytes, or was partly read already.

        A body that nobody has read is read now, and is afterwards ``request.body``.
        """
        if not hasattr(request, "_body") and not _is_parsed(request):
            if request._read_started:  # type: ignore[attr-defined]  # Django's own
                return None
            if _size(request) > body_limit:
                return None
            request.body  # noqa: B018  (reads it)
        return cls(request)

    def why_impossible(self) -> str | None:
        """What the attempt did that cannot be put back; None when everything can."""
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
    """Bytes of the body, which may come without a Content-Length under ASGI."""
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
    """Copies of these attributes, of those that are there."""
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
    """What a user that was loaded already looks like; None for one that was not."""
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
