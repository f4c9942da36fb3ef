"""Whether the name of a field speaks of a collection: ``author_id`` of ``authors``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache

from djongo_services.introspection.path import Path


class Evidence(IntEnum):
    """How much a name says."""

    NONE = 0
    NAMED = 1
    """``author`` for ``authors``: it may as well hold a name or a number."""
    KEYED = 2
    """``author_id``, ``authorIds``: it says that it holds a key."""


_KEY_WORDS = frozenset({"id", "ids", "oid", "oids", "ref", "refs", "fk", "pk", "key", "keys"})
_SELF = frozenset(
    {
        "parent",
        "ancestor",
        "child",
        "previous",
        "prev",
        "next",
        "original",
        "root",
        "predecessor",
        "successor",
        "reply",
    }
)
"""What documents call others of their own collection."""

_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "media": "medium",
    "data": "datum",
    "indices": "index",
    "matrices": "matrix",
    "criteria": "criterion",
    "mice": "mouse",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
}
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def evidence(path: Path, collection: str, target: str) -> Evidence:
    """What the name at the end of ``path`` says for ``target``.

    The name's words, without ``id`` and the like, must be the last words of the target's name, in
    singular or plural, so that an app's prefix does not matter: ``person_id`` speaks of
    ``archive_person``. ``author._id`` is read as ``author_id``; ``parent_id`` speaks of the
    collection it is in.
    """
    words, keyed = _spoken(path)
    if not words:
        return Evidence.NONE
    strength = Evidence.KEYED if keyed else Evidence.NAMED
    if collection == target and _singulars(words[-1]) & _SELF:
        return strength
    named = _words(target)[-len(words) :]
    return strength if _same(words, named) else Evidence.NONE


def closeness(path: Path, target: str) -> int:
    """Orders targets that a name speaks of equally: the fewer words it leaves out, the closer."""
    words, _ = _spoken(path)
    return len(words) - len(_words(target))


def _spoken(path: Path) -> tuple[list[str], bool]:
    """The words that a path ends in, and whether it says that it holds keys."""
    names = [step for step in path if isinstance(step, str)]
    keyed = False
    while names:
        words = _words(names.pop())
        while words and words[-1] in _KEY_WORDS:
            keyed = True
            words.pop()
        if words or not keyed:
            return words, keyed
    return [], keyed


@lru_cache(maxsize=4096)
def _split(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORDS.findall(name))


def _words(name: str) -> list[str]:
    """``archive_personNote`` as ``archive``, ``person``, ``note``."""
    return list(_split(name))


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    if len(one) != len(other) or list(one[:-1]) != list(other[:-1]):
        return False
    return bool(_singulars(one[-1]) & _singulars(other[-1]))


@lru_cache(maxsize=4096)
def _singulars(word: str) -> frozenset[str]:
    """What the word may be in singular; itself among them."""
    found = {word, _IRREGULAR.get(word, word)}
    if word.endswith("ies"):
        found.add(word[:-3] + "y")
    if word.endswith("ves"):
        found |= {word[:-3] + "f", word[:-3] + "fe"}
    if word.endswith("es"):
        found.add(word[:-2])
    if word.endswith("s") and not word.endswith("ss"):
        found.add(word[:-1])
    return frozenset(found)
