"""Names for Django from names of the database: valid, unique, and as close as possible.

A field's name is the key in snake case, a class's name the collection's in camel case, and English
words are changed to singular or plural. Letters of every script stay if Python accepts them in
identifiers, in the form that Python itself compares (NFKC), so that two names are never equal for
the interpreter. Field names are always lower case and class names never are, so they cannot
conflict inside a class body.

Rules: Python's identifiers and keywords; Django's fields.E001 to E003, models.E004 and E024 and
contenttypes.E005; every attribute of ``models.Model``. Only obvious English plurals are changed, in
the last word of a name; a wrong guess gives a class an odd name and does no other harm, because of
``db_table``.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping

from django.db import models

FIELD_LENGTH = 63
CLASS_LENGTH = 60
"""The maximum number of characters; contenttypes.E005 refuses class names over 100."""

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"_+")
_GENERATED = re.compile(r"get_(?:next_by|previous_by)_|get_.*_display$")

RESERVED_FIELDS: frozenset[str] = (
    frozenset(dir(models.Model))
    | frozenset(keyword.kwlist)
    | frozenset(keyword.softkwlist)
    | {"id", "pk", "models", "objects", "using", "force_insert", "force_update", "update_fields"}
    # Arguments of Model.__init__, get_or_create and update_or_create, which accept fields by name.
    | {"self", "defaults", "create_defaults"}
)
LOOKUPS: frozenset[str] = frozenset(models.Field().get_lookups()) | {
    "contained_by",
    "len",
    "overlap",
}
"""Names that a query treats as lookups after an embedded document: ``place__contains``."""
RESERVED_CLASSES: frozenset[str] = (
    frozenset(dir(builtins)) | frozenset(keyword.kwlist) | {"Meta", "Model"}
)


class Namespace:
    """Names already used in one scope."""

    def __init__(self, reserved: Iterable[str] = (), *, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case
        self._taken = {self._key(name) for name in reserved}

    def __contains__(self, name: str) -> bool:
        return self._key(name) in self._taken

    def claim(self, name: str, *, numbered: str = "{}_{}", companions: Iterable[str] = ()) -> str:
        """``name``, or the name with the first number that makes it free; it is reserved from then
        on.

        ``companions`` are patterns such as ``"{}_id"`` of names that belong to it and must be free
        as well.
        """
        patterns = ("{}", *companions)
        candidate, number = name, 2
        while any(pattern.format(candidate) in self for pattern in patterns):
            candidate, number = numbered.format(name, number), number + 1
        self._taken.update(self._key(pattern.format(candidate)) for pattern in patterns)
        return candidate

    def _key(self, name: str) -> str:
        return name.lower() if self._ignore_case else name


def field_name(key: str) -> str:
    """``createdAt`` as ``created_at``, ``class`` as ``class_field``, ``2nd`` as ``field_2nd``."""
    words = _HUMP.sub("_", key)
    name = _SEPARATORS.sub("_", _identifier_letters(words, lower=True))[:FIELD_LENGTH].strip("_")
    if not name:
        return "field"
    if not name[0].isidentifier():
        name = f"field_{name}"
    if name in RESERVED_FIELDS or _GENERATED.match(name):
        name = f"{name}_field"
    return name


def class_name(key: str) -> str:
    """``field_notes`` as ``FieldNotes``, ``2020`` as ``Collection2020``."""
    words = _identifier_letters(key, lower=False).split("_")
    name = "".join(word[:1].upper() + word[1:] for word in words)[:CLASS_LENGTH]
    if not name or not name[0].isidentifier():
        name = f"Collection{name}"
    if name in RESERVED_CLASSES or name == name.lower():
        name = f"{name}Model"
    return unicodedata.normalize("NFKC", name)


def _identifier_letters(text: str, *, lower: bool) -> str:
    """``text`` with an underscore for each run of characters that identifiers cannot have."""
    normal = unicodedata.normalize("NFKC", text)
    if lower:
        normal = unicodedata.normalize("NFKC", normal.lower())
    letters = "".join(letter if _may_continue(letter) else "_" for letter in normal)
    stable = unicodedata.normalize("NFKC", letters) == letters
    if not stable or (lower and letters != letters.lower()):
        return "".join(letter if letter.isascii() else "_" for letter in letters)
    return letters


def _may_continue(letter: str) -> bool:
    # From Unicode 15.1 (Python 3.13) on, identifiers may contain invisible joiners.
    return f"a{letter}".isidentifier() and letter.isprintable()


# The singular and plural of English words.
_WORD = re.compile(r"[a-z]+\Z|(?<=[a-z])[A-Z][a-z]+\Z|\A[A-Z][a-z]+\Z")
_UNCOUNTED = ("series", "species", "news", "data", "media", "metadata", "sheep", "fish", "staff")
_SINGULAR_IN_S = (
    *("status", "address", "access", "process", "progress", "business", "class", "bus", "gas"),
    *("lens", "canvas", "alias", "atlas", "analysis", "basis", "crisis", "thesis", "chassis"),
    *("css", "dns", "sms", "aws", "ios", "gps", "https"),
)
_IRREGULAR: Mapping[str, str] = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "mice": "mouse",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "indices": "index",
    "vertices": "vertex",
    "matrices": "matrix",
    "criteria": "criterion",
    "movies": "movie",
    "cookies": "cookie",
    "ties": "tie",
    "caches": "cache",
    "lives": "life",
    "wives": "wife",
    "knives": "knife",
    "leaves": "leaf",
    "shelves": "shelf",
    "halves": "half",
    "wolves": "wolf",
    "thieves": "thief",
    "buses": "bus",
    "gases": "gas",
    "lenses": "lens",
    "aliases": "alias",
    "statuses": "status",
    "canvases": "canvas",
    "atlases": "atlas",
    "analyses": "analysis",
    "bases": "base",
    "crises": "crisis",
    "theses": "thesis",
    "diagnoses": "diagnosis",
}
_PLURALS = {singular: plural for plural, singular in _IRREGULAR.items()}


def singular(name: str) -> str:
    """``order_items`` as ``order_item``, ``companies`` as ``company``, ``news`` as it is."""
    found = _WORD.search(name)
    if found is None:
        return name
    return name[: found.start()] + _like(found[0], _singular_word(found[0].lower()))


def plural(words: str) -> str:
    """``order item`` as ``order items``, ``company`` as ``companies``."""
    before, space, last = words.rpartition(" ")
    return f"{before}{space}{_plural_word(last)}"


def _singular_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word in _UNCOUNTED or word in _SINGULAR_IN_S:
        return word
    if word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    return word.removesuffix("s")


def _plural_word(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if word in _UNCOUNTED or not word.isascii() or not word[-1:].isalpha():
        return word
    if re.search(r"[^aeiou]y\Z", word):
        return f"{word[:-1]}ies"
    if word.endswith(("s", "x", "z", "sh", "ch")):
        return f"{word}es"
    return f"{word}s"


def _like(model: str, word: str) -> str:
    return word.capitalize() if model[:1].isupper() else word
