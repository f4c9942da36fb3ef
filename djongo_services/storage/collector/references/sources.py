"""Sources of references, and what they say together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Protocol

from djongo_services.progress import Stop
from djongo_services.storage.collector.bson_order import Key
from djongo_services.storage.collector.errors import ReferencesUnreadable

SEARCH_AT_ONCE = 10_000
"""Files that texts are searched for at once: each search reads whole databases."""


class ReferenceSource(Protocol):
    """Something that refers to files by their names."""

    @property
    def label(self) -> str:
        """What it is, for people: ``shop.Product.photo on 'default'``."""

    def probe(self) -> None:
        """Raises SourceUnreadable when it could not be asked."""

    def referenced(self, names: Sequence[str]) -> set[str]:
        """Those of the filenames that it refers to. Raises SourceUnreadable."""


class Sought(NamedTuple):
    """A file that texts are looked through for."""

    key: Key
    id: Any
    """Looked for where it is an ObjectId, a UUID or a text."""
    names: tuple[str, ...]


class Searching(Protocol):
    """Looks through texts, of which no index helps to find a name."""

    def mentions(
        self, files: Iterable[Sought], naming: Naming, *, stop: Stop | None = None
    ) -> Mapping[Key, str]:
        """Those that are mentioned, and where. Raises SourceUnreadable, and
        CollectorInterrupted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Territory:
    """The part of a bucket that a storage keeps its files in."""

    prefix: str
    """What filenames begin with: the storage's location with its slash, or "" for all files."""
    spoken_for: bool
    """Whether fields say which files of it are in use. Files of a storage that only code writes
    to, such as that of staticfiles, are named nowhere."""
    keeps_revisions: bool
    doubts: tuple[str, ...] = ()
    """Why fields may hold other names than those of its files; none of them is called unused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """The same for all fields of a project: which location a row's file is in may be its own
    choice, so a name counts under each location of the bucket."""

    prefixes: tuple[str, ...] = ("",)
    """What filenames may begin with and fields leave out: the storages' locations, with a slash."""
    folders: tuple[str, ...] = ()
    """What fields may have before a filename: in djongo's layout a bucket is a folder."""

    def held(self, filenames: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """By what a field may hold, the filenames that it may mean.

        Never the empty name, by which fields say that there is no file.
        """
        if self.prefixes == ("",) and not self.folders:  # As in most buckets.
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
    """All that refers to the files of one bucket."""

    sources: tuple[ReferenceSource, ...] = ()
    territories: tuple[Territory, ...] = ()
    """Longest prefix first."""
    answers_for_all: bool = False
    """Whether a provider says that it, with the others, knows all files of the bucket."""
    naming: Naming = field(default_factory=Naming)
    exclude: tuple[str, ...] = ()
    """Patterns of names, in the bucket or in a storage, that are never collected."""
    search: Searching | None = None
    """Asked about what no source refers to."""

    @property
    def speaks(self) -> bool:
        """Whether it can be told of any file at all that it is not in use."""
        if self.answers_for_all:
            return True
        whole_bucket_is_in_doubt = any(not each.prefix and each.doubts for each in self.territories)
        return not whole_bucket_is_in_doubt and any(
            each.spoken_for and not each.doubts for each in self.territories
        )

    @property
    def doubts(self) -> tuple[str, ...]:
        """Sentences: why no file of some storages is called unreferenced."""
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
        """Whether a file of this name is not in use when no source refers to it."""
        territory = self._territory(name)
        if self.answers_for_all:
            return territory is None or territory.spoken_for
        return (
            territory is not None
            and territory.spoken_for
            and not any(each.doubts and name.startswith(each.prefix) for each in self.territories)
        )

    def excludes(self, name: str) -> bool:
        """Whether the project says that a file of this name is not the collector's business."""
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
            except SourceUnreadable as error:
                raise ReferencesUnreadable(
                    f"{source.label} can no longer be checked for references to files: {error}; "
                    f"what was collected before stays in the trash."
                ) from error
        return set(names) - left

    def mentioned(
        self, files: Collection[Sought], *, stop: Stop | None = None
    ) -> Mapping[Key, str]:
        """Those of the files that some text mentions, and where. Raises ReferencesUnreadable."""
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
    """A source cannot be asked; the message says why, as half a sentence."""


def first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0].rstrip(". ") or type(error).__name__
