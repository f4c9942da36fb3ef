"""Storages around this package's."""

from __future__ import annotations

from typing import Any

from django.core.files.base import File
from django.core.files.storage import Storage

from djongo_services.storage import GridFSStorage


class Folding(Storage):
    """A wrapper that gives files other names than rows have."""

    def __init__(self, inner: Storage) -> None:
        self.inner = inner

    def _open(self, name: Any, mode: str = "rb") -> File[Any]:
        return self.inner.open(name[::-1], mode)

    def _save(self, name: str, content: Any) -> str:
        return self.inner.save(name[::-1], content)[::-1]

    def exists(self, name: str) -> bool:
        return self.inner.exists(name[::-1])


class Delegating:
    """A wrapper that is not a Storage, but has all attributes of its storage."""

    def __init__(self, inner: Storage) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_inner"], name)


class Hashing(GridFSStorage):
    """A subclass that finds its files in a different way."""

    def _open(self, name: Any, mode: str = "rb") -> Any:
        return super()._open(name[::-1], mode)

    def _save(self, name: str, content: Any) -> str:
        return super()._save(name[::-1], content)[::-1]
