"""Sources of references, and what they say together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from djongo_services.storage.collector.errors import ReferencesUnreadable


class Source(Protocol):
    """Something that refers to files by their names."""

    @property
    def label(self) -> str:
        """What it is, for people: ``shop.Product.photo on 'default'``."""

    def probe(self) -> None:
        """Raises Unreadable when it could not be asked."""

    def referenced(self, names: Sequence[str]) -> set[str]:
        """Those of the filenames that it refers to. Raises Unreadable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Territory:
    """The part of a bucket that a storage keeps its files in."""

    prefix: str
    """Of the filenames: the storage's location with its slash, or "" for the whole bucket."""
    spoken_for: bool
    """Whether fields say which files of it are in use. Files of a storage that only code writes
    to, such as that of staticfiles, are named nowhere."""
    keeps_revisions: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """All that refers to the files of one bucket."""

    sources: tuple[Source, ...] = ()
    territories: tuple[Territory, ...] = ()
    """Longest prefix first."""
    answers_for_all: bool = False
    """Whether a provider says that it, with the others, knows all files of the bucket."""

    @property
    def speaks(self) -> bool:
        """Whether it can be told of any file at all that it is not in use."""
        return self.answers_for_all or any(each.spoken_for for each in self.territories)

    def covers(self, name: str) -> bool:
        """Whether a file of this name is not in use when no source refers to it."""
        territory = self._territory(name)
        return self.answers_for_all if territory is None else territory.spoken_for

    def keeps_revisions(self, name: str) -> bool | None:
        """Whether the storage of this name keeps older revisions; None: no storage has it."""
        territory = self._territory(name)
        return None if territory is None else territory.keeps_revisions

    @property
    def discards_revisions(self) -> bool:
        """Whether any storage has no use for older revisions."""
        return not all(territory.keeps_revisions for territory in self.territories)

    def referenced(self, names: Collection[str]) -> set[str]:
        """Those of the names that any source refers to; each is asked only about the rest.

        Raises ReferencesUnreadable when one of them answers no more.
        """
        left = set(names)
        for source in self.sources:
            if not left:
                break
            try:
                left -= source.referenced(sorted(left))
            except Unreadable as error:
                raise ReferencesUnreadable(
                    f"{source.label} cannot be asked any more whether it refers to files: {error}; "
                    f"what was collected before stays in the trash."
                ) from error
        return set(names) - left

    def _territory(self, name: str) -> Territory | None:
        for territory in self.territories:
            if name.startswith(territory.prefix):
                return territory
        return None


class Unreadable(Exception):
    """A source cannot be asked; the message says why, as half a sentence."""
