"""The operations of a plan: each is one command for the server, as plain data.

An operation describes what it does, what it risks and waits for, how to undo it, and which command
it runs. Running the command twice does no harm: the error codes that mean that the work is already
done are in :attr:`Operation.done_codes`.

Sources: MongoDB manual, "collMod", "createIndexes", "Index Builds on Populated Collections";
error codes measured on 4.4, 5.0 and 6.0.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from djongo_services.formatting import duration
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.spec import IndexSpec
from djongo_services.server_errors import INDEX_NOT_FOUND, NAMESPACE_NOT_FOUND

SHADOW_PREFIX = "djongo_services_shadow_"
"""The prefix of the indexes that serve queries while an index is rebuilt under its own name."""

_SHOWN = 5
"""The maximum number of indexes that the description of one operation names."""


class Risk(enum.Enum):
    """What an operation can cost: from nothing to data loss."""

    SAFE = "safe"
    SLOW = "slow"
    BLOCKS = "blocks writes"
    DESTROYS = "destroys"


class Phase(enum.IntEnum):
    """The order within a collection: a build prevents collMod (12587), and an index that serves
    queries is dropped only after its replacement exists."""

    CREATE = 0
    MODIFY = 1
    BUILD = 2
    RELEASE = 3
    REBUILD = 4
    TIDY = 5
    PRUNE = 6
    REPORT = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation(abc.ABC):
    collection: str

    kind: ClassVar[str]
    waits_for: ClassVar[str] = "a short exclusive lock on the collection"
    done_codes: ClassVar[frozenset[int]] = frozenset()
    """Error codes with which the server reports that nothing is left to do."""

    @property
    @abc.abstractmethod
    def phase(self) -> Phase: ...

    @property
    def risk(self) -> Risk:
        return Risk.SAFE

    @abc.abstractmethod
    def words(self) -> str:
        """A description without the collection: ``build index a_idx {a: 1}``."""

    @abc.abstractmethod
    def command(self) -> dict[str, Any] | None:
        """The command document; None if the operation only reports."""

    def inverse(self) -> tuple[Operation, ...]:
        """The operations that undo it; empty if it cannot be undone."""
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateCollection(Operation):
    options: Mapping[str, Any] = field(default_factory=dict)

    kind: ClassVar[str] = "create-collection"

    @property
    def phase(self) -> Phase:
        return Phase.CREATE

    def words(self) -> str:
        return f"create collection{in_parentheses(self.options)}"

    def command(self) -> dict[str, Any]:
        return {"create": self.collection, **self.options}


@dataclass(frozen=True, kw_only=True, slots=True)
class SetValidator(Operation):
    """Set, change or (``after`` None) remove the validator; this is instant, and checks no
    document."""

    before: Validator | None = None
    after: Validator | None = None
    violators: int | None = None
    """Documents that violate :attr:`after`, if they were counted."""

    kind: ClassVar[str] = "set-validator"

    @property
    def phase(self) -> Phase:
        return Phase.MODIFY

    def words(self) -> str:
        match self.before, self.after:
            case _, None:
                return "remove the validator"
            case None, Validator(level=level, action=action):
                return f"set the validator, {level} and {action}"
            case Validator() as before, Validator(level=level, action=action) as after:
                if before.query == after.query:
                    was = f"{before.level} and {before.action}"
                    return f"make the validator {level} and {action} (was {was})"
                return f"change the validator, {level} and {action}"
        raise AssertionError("unreachable")

    def command(self) -> dict[str, Any]:
        if self.after is None:
            return {"collMod": self.collection, "validator": {}, "validationLevel": "off"}
        return {
            "collMod": self.collection,
            "validator": self.after.stored,
            "validationLevel": self.after.level,
            "validationAction": self.after.action,
        }

    def inverse(self) -> tuple[Operation, ...]:
        return (SetValidator(collection=self.collection, before=self.after, after=self.before),)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetCollectionTTL(Operation):
    """Set the expiry of a time-series or clustered collection: seconds, or None for "off"."""

    before: int | None
    after: int | None

    kind: ClassVar[str] = "set-collection-ttl"

    @property
    def phase(self) -> Phase:
        return Phase.MODIFY

    @property
    def risk(self) -> Risk:
        return _risk_of_expiry(self.before, self.after)

    def words(self) -> str:
        return f"expire documents {_after(self.after)} (was {_seconds(self.before)})"

    def command(self) -> dict[str, Any]:
        value = "off" if self.after is None else self.after
        return {"collMod": self.collection, "expireAfterSeconds": value}

    def inverse(self) -> tuple[Operation, ...]:
        return (SetCollectionTTL(collection=self.collection, before=self.after, after=self.before),)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetTTL(Operation):
    """Change an index's ``expireAfterSeconds``; ``before`` None makes the index a TTL index."""

    index: str
    before: int | float | None
    after: int | float

    kind: ClassVar[str] = "set-ttl"

    @property
    def phase(self) -> Phase:
        return Phase.MODIFY

    @property
    def risk(self) -> Risk:
        return _risk_of_expiry(self.before, self.after)

    def words(self) -> str:
        was = _seconds(self.before)
        return f"expire documents of index {self.index} {_after(self.after)} (was {was})"

    def command(self) -> dict[str, Any]:
        index = {"name": self.index, "expireAfterSeconds": self.after}
        return {"collMod": self.collection, "index": index}

    def inverse(self) -> tuple[Operation, ...]:
        if self.before is None:
            return ()  # A TTL cannot be removed from an index; only a rebuild does that.
        undo = SetTTL(
            collection=self.collection, index=self.index, before=self.after, after=self.before
        )
        return (undo,)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetHidden(Operation):
    index: str
    hidden: bool
    pruning: bool = False
    """Whether it replaces a drop."""

    kind: ClassVar[str] = "set-hidden"

    @property
    def phase(self) -> Phase:
        return Phase.PRUNE if self.pruning else Phase.MODIFY

    def words(self) -> str:
        return f"{'hide' if self.hidden else 'unhide'} index {self.index}"

    def command(self) -> dict[str, Any]:
        return {"collMod": self.collection, "index": {"name": self.index, "hidden": self.hidden}}

    def inverse(self) -> tuple[Operation, ...]:
        return (
            SetHidden(
                collection=self.collection,
                index=self.index,
                hidden=not self.hidden,
                pruning=self.pruning,
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareUnique(Operation):
    """Make the index refuse new duplicates; existing ones may remain."""

    index: str
    prepare: bool = True

    kind: ClassVar[str] = "prepare-unique"

    @property
    def phase(self) -> Phase:
        # A unique index that is built in between may refuse the same values afterwards.
        return Phase.MODIFY if self.prepare else Phase.TIDY

    def words(self) -> str:
        if self.prepare:
            return f"refuse new duplicates in index {self.index} (prepareUnique)"
        return f"accept duplicates in index {self.index} again"

    def command(self) -> dict[str, Any]:
        index = {"name": self.index, "prepareUnique": self.prepare}
        return {"collMod": self.collection, "index": index}

    def inverse(self) -> tuple[Operation, ...]:
        return (
            PrepareUnique(collection=self.collection, index=self.index, prepare=not self.prepare),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MakeUnique(Operation):
    """Turn a prepared index into a unique one; refused with 359 while there are duplicates."""

    index: str

    kind: ClassVar[str] = "make-unique"
    waits_for: ClassVar[str] = "a scan of the index, during which the collection accepts no writes"

    @property
    def phase(self) -> Phase:
        return Phase.MODIFY

    @property
    def risk(self) -> Risk:
        return Risk.BLOCKS

    def words(self) -> str:
        return f"make index {self.index} unique"

    def command(self) -> dict[str, Any]:
        return {"collMod": self.collection, "index": {"name": self.index, "unique": True}}


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildIndexes(Operation):
    """One createIndexes: all or nothing, and faster than one command for each index."""

    indexes: tuple[IndexSpec, ...]
    build_phase: Phase = Phase.BUILD
    expires: bool = False
    """Whether a TTL index among them will delete existing documents."""

    kind: ClassVar[str] = "build-indexes"
    waits_for: ClassVar[str] = "a scan of the collection, and open transactions on it"

    @property
    def phase(self) -> Phase:
        return self.build_phase

    @property
    def risk(self) -> Risk:
        return Risk.DESTROYS if self.expires else Risk.SLOW

    def words(self) -> str:
        shown = [f"{index.name} {key_words(index.keys)}" for index in self.indexes[:_SHOWN]]
        if (count := len(self.indexes)) > _SHOWN:
            return f"build {count} indexes: {', '.join(shown)} and {count - _SHOWN} more"
        return f"build {'index' if count == 1 else 'indexes'} {', '.join(shown)}"

    def command(self) -> dict[str, Any]:
        indexes = [
            {"key": dict(index.keys), "name": index.name, **index.options} for index in self.indexes
        ]
        return {"createIndexes": self.collection, "indexes": indexes}

    def inverse(self) -> tuple[Operation, ...]:
        return tuple(DropIndex(collection=self.collection, index=index) for index in self.indexes)


@dataclass(frozen=True, kw_only=True, slots=True)
class DropIndex(Operation):
    index: IndexSpec
    """The whole definition, so that it can be rebuilt."""
    drop_phase: Phase = Phase.PRUNE
    replaced: bool = False
    """Whether an index that serves the same queries and keeps the same values unique replaces
    it."""

    kind: ClassVar[str] = "drop-index"
    done_codes: ClassVar[frozenset[int]] = frozenset({INDEX_NOT_FOUND, NAMESPACE_NOT_FOUND})

    @property
    def phase(self) -> Phase:
        return self.drop_phase

    @property
    def risk(self) -> Risk:
        return Risk.SAFE if self.replaced else Risk.DESTROYS

    def words(self) -> str:
        return f"drop index {self.index.name}"

    def command(self) -> dict[str, Any]:
        return {"dropIndexes": self.collection, "index": self.index.name}

    def inverse(self) -> tuple[Operation, ...]:
        expires = "expireAfterSeconds" in self.index.options
        again = BuildIndexes(collection=self.collection, indexes=(self.index,), expires=expires)
        return (again,)


def key_words(keys: tuple[tuple[str, Any], ...]) -> str:
    """``{a: 1, b: -1}``, ``{title: text}``."""
    return "{" + ", ".join(f"{name}: {direction}" for name, direction in keys) + "}"


def in_parentheses(options: Mapping[str, Any]) -> str:
    """`` (capped, size)``; the validator's three options are left out."""
    shown = [key for key in options if not key.startswith("validat")]
    return f" ({', '.join(shown)})" if shown else ""


def _risk_of_expiry(before: int | float | None, after: int | float | None) -> Risk:
    """The risk: within a minute the server begins to delete documents that have expired only by the
    new value."""
    longer = after is None or (before is not None and after >= before)
    return Risk.SAFE if longer else Risk.DESTROYS


def _after(value: float | None) -> str:
    return "never" if value is None else f"after {duration(value)}"


def _seconds(value: int | float | None) -> str:
    return "never" if value is None else duration(value)
