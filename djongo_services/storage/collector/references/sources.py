"""Sources of references, and their combined answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol

from djongo_services.progress import Stop
from djongo_services.storage.collector.bson_order import Key
from djongo_services.storage.collector.errors import ReferencesUnreadable

SEARCH_AT_ONCE = 10_000
"""Files that texts are searched for together: each search reads whole databases."""


class ReferenceSource(Protocol):
    """Something that refers to files by their names."""

    @property
    def label(self) -> str:
        """A description for users: ``shop.Product.photo on 'default'``."""

    def probe(self) -> None:
        """Raises SourceUnreadable if it cannot be queried."""

    def referenced(self, names: Sequence[str]) -> set[str]:
        """The filenames that it refers to. Raises SourceUnreadable."""


class Sought(NamedTuple):
    """A file that texts are searched for."""

    key: Key
    id: Any
    """Searched for if it is an ObjectId, a UUID or a text."""
    names: tuple[str, ...]


class Searching(Protocol):
    """Searches texts in which no index helps to find a name."""

    def mentions(
        self, files: Iterable[Sought], naming: Naming, *, stop: Stop | None = None
    ) -> Mapping[Key, str]:
        """The files that are mentioned, and where. Raises SourceUnreadable, and
        CollectorInterrupted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Territory:
    """The part of a bucket that a storage keeps its files in."""

    prefix: str
    """What filenames begin with: the storage's location with its slash, or "" for all files."""
    spoken_for: bool
    """Whether fields determine which of its files are in use. Files of a storage that only code
    writes to, such as that of staticfiles, are not named anywhere."""
    keeps_revisions: bool
    doubts: tuple[str, ...] = ()
    """Why fields may contain other names than those of its files; then no file is called unused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """The same for all fields of a project: a row may choose the location of its file itself, so a
    name counts under each location of the bucket."""

    prefixes: tuple[str, ...] = ("",)
    """What filenames may begin with and fields omit: the storages' locations, with a slash."""
    folders: tuple[str, ...] = ()
    """What fields may have before a filename: in djongo's layout a bucket is a folder."""

    def held(self, filenames: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """For each value that a field may have, the filenames that it may refer to.

        The empty name is never included: a field with an empty name has no file.
        """
        if self.prefixes == ("",) and not self.folders:  # Most buckets are like this.
            return {name: (name,) for name in filenames if name}
        found: dict[str, list[str]] = {}
        for name in filenames:
            for form in self.forms(name):
                found.setdefault(form, []).append(name)
        return found

    def forms(self, filename: str) -> Iterator[str]:
        for prefix in self.prefixes:
            if filename.startswith(prefix) and filename != prefix:
                yield filename[len(prefix) :]
        for folder in self.folders:
            yield folder + filename


@dataclass(frozen=True, kw_only=True, slots=True)
class References:
    """Everything that refers to the files of one bucket."""

    sources: tuple[ReferenceSource, ...] = ()
    territories: tuple[Territory, ...] = ()
    """Territories, the longest prefix first."""
    answers_for_all: bool = False
    """Whether a provider claims that it, together with the others, knows all files of the
    bucket."""
    naming: Naming = field(default_factory=Naming)
    exclude: tuple[str, ...] = ()
    """Patterns of names, in the bucket or in a storage, that are never collected."""
    search: Searching | None = None
    """Used for files that no source refers to."""

    @property
    def speaks(self) -> bool:
        """Whether any file at all can be known to be unused."""
        if self.answers_for_all:
            return True
        whole_bucket_is_in_doubt = any(not each.prefix and each.doubts for each in self.territories)
        return not whole_bucket_is_in_doubt and any(
            each.spoken_for and not each.doubts for each in self.territories
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences that explain why no file of some storages is called unreferenced."""
        if self.answers_for_all:
            return ()
        return tuple(
            f"No file {f'below {each.prefix!r}' if each.prefix else 'of the bucket'} is reported "
            f"as unreferenced, because of {', '.join(each.doubts)}; to change that, register a "
            f"provider of references for the bucket."
            for each in self.territories
            if each.doubts
        )

    def covers(self, name: str) -> bool:
        """Whether a file with this name is unused if no source refers to it."""
        territory = self._territory(name)
        if self.answers_for_all:
            return territory is None or territory.spoken_for
        return (
            territory is not None
            and territory.spoken_for
            and not any(each.doubts and name.startswith(each.prefix) for each in self.territories)
        )

    def excludes(self, name: str) -> bool:
        """Whether the project excludes files with this name from collection."""
        return bool(self.exclude) and any(
            fnmatchcase(form, pattern)
            for form in (name, *self.naming.forms(name))
            for pattern in self.exclude
        )

    def keeps_revisions(self, name: str) -> bool | None:
        """Whether the storage of this name keeps older revisions; None: no storage has it."""
        territory = self._territory(name)
        return None if territory is None else territory.keeps_revisions

    @property
    def discards_revisions(self) -> bool:
        """Whether any storage discards older revisions."""
        return not all(territory.keeps_revisions for territory in self.territories)

    def referenced(self, names: Collection[str]) -> set[str]:
        """The names that any source refers to; each source is queried only for the rest.

        Raises ReferencesUnreadable if a source can no longer be read.
        """
        left = set(names)
        for source in self.sources:
            if not left:
                break
            try:
                left -= source.referenced(sorted(left))
            except SourceUnreadable as error:
                raise ReferencesUnreadable(
                    f"{source.label} can no longer be checked for references to files: {error}; "
                    f"what was collected before stays in the trash."
                ) from error
        return set(names) - left

    def mentioned(
        self, files: Collection[Sought], *, stop: Stop | None = None
    ) -> Mapping[Key, str]:
        """The files that some text mentions, and where. Raises ReferencesUnreadable."""
        if self.search is None or not files:
            return {}
        try:
            return self.search.mentions(files, self.naming, stop=stop)
        except SourceUnreadable as error:
            raise ReferencesUnreadable(
                f"The collector can no longer determine whether files are in use: {error}. Files "
                f"that were collected before stay in the trash."
            ) from error

    def _territory(self, name: str) -> Territory | None:
        for territory in self.territories:
            if name.startswith(territory.prefix):
                return territory
        return None


class SourceUnreadable(Exception):
    """A source cannot be queried; the message contains the reason as a phrase."""


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ") or type(error).__name__
