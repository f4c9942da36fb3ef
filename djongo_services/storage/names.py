"""Names of files: what Django calls a name, and the filename that the bucket has for it."""

from __future__ import annotations

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.utils import validate_file_name


class Location:
    """The part of a bucket that a storage keeps its files in, such as ``media/``."""

    def __init__(self, location: str) -> None:
        """Raises SuspiciousFileOperation for one that leads out of itself."""
        cleaned = location.replace("\\", "/").strip("/")
        if cleaned:
            _checked(cleaned)
        self.prefix = f"{cleaned}/" if cleaned else ""

    def filename(self, name: str) -> str:
        """Raises SuspiciousFileOperation for a name that no file can have."""
        return self.prefix + _normal(name)

    def name(self, filename: str) -> str:
        return filename.removeprefix(self.prefix)

    def folder(self, path: str) -> str:
        """How all filenames in a folder begin; ``""`` and ``"."`` are the location itself."""
        cleaned = path.replace("\\", "/").strip("/")
        return self.prefix if cleaned in ("", ".") else f"{self.prefix}{_normal(cleaned)}/"


def _normal(name: str) -> str:
    """Forward slashes, no empty parts and no ``.``: the same file has one name only."""
    _checked(name)
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _checked(name: str) -> None:
    validate_file_name(name, allow_relative_path=True)
    if "\0" in name:
        raise SuspiciousFileOperation(f"The file name {name!r} contains a null character.")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise SuspiciousFileOperation(
            f"The file name {name!r} contains half of a surrogate pair, which BSON cannot hold."
        ) from None
