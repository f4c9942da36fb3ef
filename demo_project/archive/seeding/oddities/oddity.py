from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Oddity:
    """Something odd that the seed put into a collection, and how ``inspectmongo`` shows it.

    At least one of ``warning``, ``field``, ``index``, ``option`` and ``type`` is set.
    """

    collection: str
    says: str
    """What is odd, for human readers."""
    warning: str | None = None
    """The code of the warning that reports it."""
    path: str | None = None
    """The subject of that warning: a path or the name of an index."""
    field: str | None = None
    """A path that is listed."""
    index: str | None = None
    """The name of an index that is listed."""
    option: str | None = None
    """An option of the collection that is listed."""
    type: str | None = None
    """The type that is listed for the collection."""

    def __str__(self) -> str:
        return f"{self.collection}: {self.says}"
