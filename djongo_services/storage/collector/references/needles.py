"""Names and ids of files, as they may appear in texts.

A text refers to a file if it contains the last part of its name as a word, and any path before that
is the same: ``/media/docs/a.pdf``, ``docs//a.pdf`` and ``a.pdf`` refer to the file ``docs/a.pdf``
of a location ``media/``, and ``letters/a.pdf`` does not. Case, Unicode normalisation and quoting as
in URLs, HTML or JSON are ignored.
"""

from __future__ import annotations

import html
import re
import unicodedata
import uuid
from collections.abc import Collection, Iterable, Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from bson import Binary, ObjectId
from bson.binary import OLD_UUID_SUBTYPE, UUID_SUBTYPE

from djongo_services.storage.collector.bson_order import Key
from djongo_services.storage.collector.references.sources import Naming, Sought

SEPARATOR: Final = "\0"
"""A separator between texts that are searched together."""
DISTINCT: Final = 12
"""The length from which a word without a dot counts as a name in the middle of a text. Shorter ones
count if they are the whole text, or quoted, or part of a path."""

_WORD: Final = re.compile(r"[^\W_](?:[\w.\-@+~]*[^\W_])?")
_ASCII_WORD: Final = re.compile(r"[a-z0-9](?:[a-z0-9_.\-@+~]*[a-z0-9])?")
"""The same for folded ASCII, in half of the time."""
_OBJECT_ID: Final = re.compile(rb"\x07(?=[^\0]*\0(.{12}))", re.DOTALL)
_UUID: Final = re.compile(rb"\x10(?=\0\0\0[\x03\x04](.{16}))", re.DOTALL)
"""Elements of BSON, anywhere in a document."""
_QUOTED: Final = re.compile(r"[\\&%]")
"""What may be quoted as in JSON, HTML and URLs."""
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})")
_BLANK: Final = re.compile(r"\\[bfnrt]")
"""Escapes of JSON and of Python."""
_AROUND_WHOLE: Final = frozenset("\0\"'")


class _Name(NamedTuple):
    key: Key
    parts: tuple[str, ...]
    own: int
    """How many of the last parts are below the location: the name that rows have."""


class Needles:
    """Some thousand files at a time. A file that was found is not searched for again."""

    def __init__(self, files: Iterable[Sought], naming: Naming) -> None:
        self.unsearchable: set[Key] = set()
        """Files with a name that contains no word."""
        self._names: dict[str, list[_Name]] = {}
        self._ids: dict[str, Key] = {}
        self._binary: dict[bytes, Key] = {}
        self._looked_for: dict[Key, set[str | bytes]] = {}
        """Where each file is in the three collections."""
        for file in files:
            self._add_id(file)
            for name in file.names:
                if not self._add_name(file.key, name, naming):
                    self.unsearchable.add(file.key)

    def __bool__(self) -> bool:
        return bool(self._names or self._ids or self._binary)

    def in_text(self, text: str) -> set[Key]:
        """Search a text; ``text`` may be several, with a separator between them."""
        found: set[Key] = set()
        for each in _readings(text):
            words = _words(each)
            if not self._names.keys().isdisjoint(words):
                found |= self._named(each, self._names.keys() & set(words))
            if not self._ids.keys().isdisjoint(words):
                found |= {self._ids[word] for word in self._ids.keys() & set(words)}
        return found

    def in_bson(self, batch: bytes) -> set[Key]:
        """Search documents as the server sends them: every string, key and id, at any depth."""
        found = self.in_text(batch.decode("utf-8", "replace"))
        if self._binary:
            for pattern in (_OBJECT_ID, _UUID):
                values = {match[1] for match in pattern.finditer(batch)}
                found |= {self._binary[value] for value in self._binary.keys() & values}
        return found

    def forget(self, keys: Collection[Key]) -> None:
        for key in keys:
            for sign in self._looked_for.pop(key, ()):
                if isinstance(sign, bytes):
                    self._binary.pop(sign, None)
                    continue
                self._ids.pop(sign, None)
                if left := [name for name in self._names.pop(sign, ()) if name.key != key]:
                    self._names[sign] = left

    def _add_id(self, file: Sought) -> None:
        match file.id:
            case ObjectId():
                self._add_signs(file.key, [str(file.id)], file.id.binary)
            case uuid.UUID():
                self._add_uuid(file.id, file.key)
            case Binary(subtype=subtype) if subtype in (OLD_UUID_SUBTYPE, UUID_SUBTYPE):
                if len(file.id) == 16:
                    self._add_uuid(uuid.UUID(bytes=bytes(file.id)), file.key)
            case str():
                self._add_name(file.key, file.id, Naming())

    def _add_uuid(self, value: uuid.UUID, key: Key) -> None:
        self._add_signs(key, [str(value), value.hex], value.bytes)

    def _add_signs(self, key: Key, words: list[str], binary: bytes) -> None:
        self._ids |= dict.fromkeys(words, key)
        self._binary[binary] = key
        self._looked_for.setdefault(key, set()).update([*words, binary])

    def _add_name(self, key: Key, name: str, naming: Naming) -> bool:
        """Add a name; False if it contains no word to search for."""
        location = max(filter(name.startswith, ("", *naming.prefixes)), key=len)
        if name == location:
            return True  # No field contains the empty name.
        own = _parts(name[len(location) :])
        words = _words(own[-1]) if own else []
        if not words:
            return False
        # In djongo's layout the bucket is the folder.
        before = naming.folders[0] if naming.folders else location
        found = _Name(key=key, parts=(*_parts(before), *own), own=len(own))
        word = max(words, key=len)
        self._names.setdefault(word, []).append(found)
        self._looked_for.setdefault(key, set()).add(word)
        return True

    def _named(self, text: str, words: Iterable[str]) -> set[Key]:
        return {
            name.key
            for word in words
            for name in self._names[word]
            if any(_means(text, at, name) for at in _occurrences(text, name.parts[-1]))
        }


def _means(text: str, at: int, name: _Name) -> bool:
    """Whether the last part of the name, which is at that position, refers to the file."""
    last = name.parts[-1]
    end = at + len(last)
    if not _is_apart(text, at, end):
        return False
    matched, start = 1, at
    while (before := _before_separators(text, start)) < start:
        if matched >= name.own:
            return True
        if not before or not _is_of_path(text[before - 1]) or text[:before].endswith(".."):
            return True  # The path begins here; what the name has before that is its location.
        parent = name.parts[-1 - matched]
        start = before - len(parent)
        if start < 0 or text[start:before] != parent or not _is_apart(text, start, before):
            return False
        matched += 1
    if matched > 1 or "." in last.strip(".") or len(last) >= DISTINCT:
        return True
    return (not at or text[at - 1] in _AROUND_WHOLE) and (
        end == len(text) or text[end] in _AROUND_WHOLE
    )


def _occurrences(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _before_separators(text: str, at: int) -> int:
    """The position before the separators that end at ``at``; ``//`` and ``/./`` count as one."""
    while at:
        is_dot = text[at - 1] == "." and text[at : at + 1] == "/"
        if is_dot and at > 1 and (_is_of_path(text[at - 2]) and text[at - 2] != "/"):
            break
        if not is_dot and text[at - 1] != "/":
            break
        at -= 1
    return at


def _is_apart(text: str, start: int, end: int) -> bool:
    """Whether the word ends at both sides."""
    if start and _is_of_word(text[start - 1]) and _is_of_word(text[start]):
        return False
    after = text[end : end + 2]
    if after[:1] == "." and after[1:] and _is_of_word(after[1]):
        return False  # a.pdf in a.pdf.bak
    return not (after and _is_of_word(after[0]) and _is_of_word(text[end - 1]))


def _is_of_word(character: str) -> bool:
    return character.isalnum()


def _is_of_path(character: str) -> bool:
    return character.isalnum() or character in "/_.-+@~%"


def _words(text: str) -> list[str]:
    return (_ASCII_WORD if text.isascii() else _WORD).findall(text)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in _folded(name).split("/") if part not in ("", "."))


def _readings(text: str) -> Iterator[str]:
    """The text itself, and, if it is quoted as in JSON, HTML or URLs, the text without the quoting.

    ASCII texts have a faster way, which takes a third of the time.
    """
    if text.isascii():
        yield _folded(text)
    else:
        several = text.split(SEPARATOR)
        yield _folded(SEPARATOR.join(each for each in several if each.isascii()))
        yield _folded(SEPARATOR.join(each for each in several if not each.isascii()))
    if _QUOTED.search(text):
        quoted = (each for each in text.split(SEPARATOR) if _QUOTED.search(each))
        yield _folded(_unquoted(SEPARATOR.join(quoted)))


def _unquoted(text: str) -> str:
    if "\\" in text:
        text = _BLANK.sub(" ", _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text))
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unquote(html.unescape(text))


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower().replace("\\", "/")
    composed = unicodedata.normalize("NFC", text).casefold()
    return unicodedata.normalize("NFC", composed).replace("\\", "/")
