"""What fields hold for a filename in a bucket, and the other way round."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    prefix: str = ""
    """What filenames begin with and fields leave out: the storage's location, with a slash."""
    folders: tuple[str, ...] = ("",)
    """What fields may have before it, one or the other: in djongo's layout a bucket is a folder."""

    def held(self, filenames: Iterable[str]) -> dict[str, str]:
        """By what a field may hold, the filenames that are below the prefix.

        Never the empty name, by which fields say that there is no file.
        """
        start = len(self.prefix)
        return {
            folder + name[start:]: name
            for name in filenames
            if name.startswith(self.prefix) and name != self.prefix
            for folder in self.folders
        }
