"""A plan: the difference between a database and its models, as operations in a safe order."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from bson import encode

from djongo_services.introspection.catalog import Catalog, Collection
from djongo_services.schema.operations import BuildIndexes, Operation, Phase, Risk
from djongo_services.schema.spec import Problem
from djongo_services.setting_values import RuleSet

Sign = Literal["+", "~", "-", "!"]
"""Added, changed, removed, or impossible."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleChange:
    """One rule of a validator that is added, removed or changed."""

    sign: Sign
    path: str
    """The path of the field: ``address.zip``, ``tags[]``; empty for the document."""
    keyword: str
    """A keyword of ``$jsonSchema`` (``maxLength``), or ``check ...`` for other parts."""
    before: Any = None
    after: Any = None
    words: str
    """``price minimum 0 (was 1)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One difference, described in words, and the operations that correct it."""

    collection: str
    sign: Sign
    words: str
    """``index a_idx {a: 1}: now sparse (was not); queries cannot use it during the rebuild``."""
    operations: tuple[Operation, ...] = ()
    """Empty for ``!``, and for what is only reported."""
    rules: tuple[RuleChange, ...] = ()
    """The rules that differ, if a validator changes."""
    found: Mapping[str, Any] | None = None
    """The server's definition of an index that is changed in place."""

    @property
    def risk(self) -> Risk:
        """The highest risk of its operations."""
        order = list(Risk)
        return max((step.risk for step in self.operations), key=order.index, default=Risk.SAFE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    database: str
    fingerprint: str
    """The fingerprint of the database that the plan was made for; see :func:`fingerprint`."""
    collections: tuple[str, ...]
    """The names of the collections that the plan and its fingerprint cover."""
    changes: tuple[Change, ...]
    """The changes, ordered by collection."""
    notes: tuple[Change, ...] = ()
    """Differences that are left alone: unmanaged indexes under ``--prune report``."""
    problems: tuple[Problem, ...] = ()
    rules: Mapping[str, RuleSet] = field(default_factory=dict)
    """By collection, what its validator enforces; time-series collections have no rules."""
    waiting: tuple[str, ...] = ()
    """Migrations that must be applied first: ``library.0002_book_pages``."""

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do, and nothing that cannot be done."""
        return not self.changes and not self.waiting

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations by collection and phase; prunes of the whole plan come last.

        All builds of a collection in one phase are one createIndexes.
        """
        steps = [step for change in self.changes for step in change.operations]
        names = {
            name: place for place, name in enumerate(dict.fromkeys(s.collection for s in steps))
        }

        def order(step: Operation) -> tuple[bool, int, int]:
            return (step.phase is Phase.PRUNE, names[step.collection], int(step.phase))

        return tuple(_merge_builds(sorted(steps, key=order)))

    def count(self, sign: Sign) -> int:
        return Counter(change.sign for change in self.changes)[sign]

    def by_collection(self) -> Iterator[tuple[str, list[Change]]]:
        for name, changes in groupby(self.changes, key=lambda change: change.collection):
            yield name, list(changes)


def fingerprint(catalog: Catalog, names: Iterable[str]) -> str:
    """SHA-256 of everything that a plan depends on: options, validators and indexes of these
    collections.

    Statistics and usage are not included; a missing collection is.
    """
    known = {collection.name: collection for collection in catalog.collections}
    digest = hashlib.sha256()
    for name in sorted(set(names)):
        # As BSON, the form in which the server keeps and returns all of this, including the key
        # order.
        digest.update(encode({"name": name, "is": _described(known.get(name))}))
    return digest.hexdigest()


def _described(collection: Collection | None) -> object:
    if collection is None:
        return None
    validator = collection.validator
    return {
        "type": collection.type,
        "options": collection.options,
        "validator": validator and [validator.stored, validator.level, validator.action],
        "indexes": [
            [index.definition, index.build is not None]
            for index in sorted(collection.indexes, key=lambda index: index.name)
        ],
    }


def _merge_builds(steps: list[Operation]) -> Iterator[Operation]:
    for (_, _), group in groupby(steps, key=lambda step: (step.collection, step.phase)):
        same_phase = list(group)
        builds = [step for step in same_phase if isinstance(step, BuildIndexes)]
        yield from (step for step in same_phase if not isinstance(step, BuildIndexes))
        if builds:
            indexes = tuple(index for build in builds for index in build.indexes)
            first = builds[0]
            yield BuildIndexes(
                collection=first.collection,
                indexes=indexes,
                build_phase=first.build_phase,
                expires=any(build.expires for build in builds),
            )
