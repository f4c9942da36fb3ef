"""The keys that a field may refer to: by its name (``author_id``), its types or its values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import takewhile

from djongo_services.bson_types import NUMBERS, server_type
from djongo_services.introspection.path import Path, query_path
from djongo_services.introspection.profiling.references.keys import TargetKey, Token
from djongo_services.introspection.report import Profile

_GENERIC = frozenset({"_id", "id", "name", "title", "type", "key", "code", "position", "order"})
"""Names of fields that exist in many collections with different meanings."""

MOST_NAMED = 20
"""The maximum number of collections that a name may refer to. In a database with a set of
collections for each tenant, ``user_id`` could refer to all their users; those whose names have the
longest common beginning are kept."""


class Candidates:
    """For each path the keys to examine, with the evidence of its name."""

    def __init__(self, keys: Sequence[TargetKey], profiles: Mapping[str, Profile]) -> None:
        self.keys = keys
        self._names = Names(key.collection for key in keys)
        self._of_collection: dict[str, list[TargetKey]] = {}
        self._by_field: dict[str, list[TargetKey]] = {}
        for key in keys:
            self._of_collection.setdefault(key.collection, []).append(key)
            if key.field not in _GENERIC:
                self._by_field.setdefault(key.field, []).append(key)
        self._kinds = {
            key: frozenset(_kind(server_type(name)) for name in types)
            for key in keys
            if (types := _types(key, profiles)) is not None
        }
        self._probed: dict[tuple[str, Path], dict[TargetKey, None]] = {}

    def add(self, collection: str, path: Path, key: TargetKey) -> None:
        """Add a key for which a probe found values of the path; a key of its own does not count."""
        if not _is_own(collection, path, key):
            self._probed.setdefault((collection, path), {})[key] = None

    def of(self, collection: str, path: Path) -> dict[TargetKey, Evidence]:
        """The keys that the name suggests, followed by those that a probe found."""
        found: dict[TargetKey, Evidence] = {}
        named = self._names.spoken_of(path, collection)
        for target in _most_alike(collection, list(named)):
            found.update(dict.fromkeys(self._of_collection[target], named[target]))
        last = next((step for step in reversed(path) if isinstance(step, str)), "")
        same = {key.collection: key for key in self._by_field.get(last, ())}
        for target in _most_alike(collection, [name for name in same if name != collection]):
            found.setdefault(same[target], Evidence.NAMED)
        for key in self._probed.get((collection, path), {}):
            found.setdefault(key, Evidence.NONE)
        return {key: said for key, said in found.items() if not _is_own(collection, path, key)}

    def fits(self, key: TargetKey, value: Token) -> bool:
        """Whether the key has values of this type, as far as its collection was profiled."""
        kinds = self._kinds.get(key)
        return kinds is None or value[0] in kinds

    def kinds(self, key: TargetKey) -> frozenset[str] | None:
        """The types as in tokens; None if the collection was not profiled."""
        return self._kinds.get(key)


def _is_own(collection: str, path: Path, key: TargetKey) -> bool:
    """Whether the key is the field itself: a unique field is not a reference to itself."""
    return key.collection == collection and query_path(path) == key.field


def _most_alike(collection: str, targets: Sequence[str]) -> Sequence[str]:
    if len(targets) <= MOST_NAMED:
        return targets
    return sorted(targets, key=lambda name: (-common_beginning(collection, name), len(name), name))[
        :MOST_NAMED
    ]


def _types(key: TargetKey, profiles: Mapping[str, Profile]) -> frozenset[str] | None:
    profile = profiles.get(key.collection)
    if profile is None:
        return None
    # A sample may have missed a type, but not one that many documents have.
    found = [field for field in profile.walk() if query_path(field.path) == key.field]
    return frozenset(name for field in found for name in field.types)


def _kind(server_name: str) -> str:
    """The type's name in :func:`~.keys.token`."""
    if server_name in NUMBERS:
        return "number"
    return _ALIKE.get(server_name, server_name)


_ALIKE = {
    "symbol": "string",
    "javascriptWithScope": "javascript",
    "dbPointer": "object",
    "undefined": "null",
}
"""Types that PyMongo decodes into another one."""


# Whether the name of a field suggests a collection: ``author_id`` and ``authors``.
class Evidence(IntEnum):
    """The strength of a name's evidence."""

    NONE = 0
    NAMED = 1
    """``author`` for ``authors``: it may also contain a name or a number."""
    KEYED = 2
    """``author_id``, ``authorIds``: the name says that it contains a key."""


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
"""Names for other documents of the same collection."""

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
_JOIN = re.compile(r".*?_Join:(?P<relation>[^:]+):(?P<owner>[^:]+)")
"""``_Join:users:_Role`` contains the pairs of Parse's relation ``users`` of ``_Role``."""
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


class Names:
    """The collections that the name of a field may refer to.

    The name's words, without ``id`` and similar ones, must be the last words of the target's name,
    in singular or plural, so that an app's prefix is ignored: ``person_id`` refers to
    ``archive_person``. ``author._id`` is read as ``author_id``; ``parent_id`` refers to its own
    collection. The tables in which Parse joins two classes contain the targets in their own names.
    """

    def __init__(self, collections: Iterable[str]) -> None:
        self._by_words: dict[tuple[str, ...], list[str]] = {}
        self._known = dict.fromkeys(collections)
        for name in self._known:
            words = _words(name)
            for start in range(len(words)):
                for last in _singulars(words[-1]):
                    self._by_words.setdefault((*words[start:-1], last), []).append(name)

    def spoken_of(self, path: Path, collection: str) -> dict[str, Evidence]:
        """By collection, the evidence in the name at the end of ``path``."""
        join = _JOIN.fullmatch(collection)
        if join is not None and path in (("owningId",), ("relatedId",)):
            return self._joined(join["relation"], join["owner"], owning=path == ("owningId",))
        words, keyed = _spoken(path)
        if not words:
            return {}
        strength = Evidence.KEYED if keyed else Evidence.NAMED
        found = dict.fromkeys(self._named(words), strength)
        if collection in self._known and _singulars(words[-1]) & _SELF:
            found[collection] = strength
        return found

    def _named(self, words: Sequence[str]) -> Iterator[str]:
        for last in sorted(_singulars(words[-1])):
            yield from self._by_words.get((*words[:-1], last), ())

    def _joined(self, relation: str, owner: str, *, owning: bool) -> dict[str, Evidence]:
        if owning:
            return {name: Evidence.KEYED for name in (owner,) if name in self._known}
        return dict.fromkeys(self._named(_words(relation) or [""]), Evidence.KEYED)


def closeness(path: Path, target: str) -> int:
    """A sort key for targets with equal evidence: the fewer words are left out, the closer."""
    words, _ = _spoken(path)
    return len(words) - len(_words(target))


def common_beginning(one: str, other: str) -> int:
    """The number of words that the names of two collections have in common at the beginning: those
    of their app or tenant."""
    pairs = zip(_words(one), _words(other), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _spoken(path: Path) -> tuple[list[str], bool]:
    """The last words of a path, and whether they say that it contains keys."""
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


@lru_cache(maxsize=4096)
def _singulars(word: str) -> frozenset[str]:
    """The possible singulars of the word, including itself."""
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
