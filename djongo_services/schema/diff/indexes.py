"""Changes of one collection's indexes."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

from djongo_services.abilities import Abilities
from djongo_services.formatting import duration
from djongo_services.index_kinds import LONGEST_TTL
from djongo_services.introspection.catalog import Collection, Index
from djongo_services.introspection.redundancy import covers, redundant
from djongo_services.schema.diff.matching import match, same
from djongo_services.schema.diff.normal import normal_index, normal_spec, same_collation
from djongo_services.schema.diff.rebuild import (
    Shadows,
    around,
    as_spec,
    guards,
    is_shadow,
    rebuild,
    stands_in,
)
from djongo_services.schema.operations import (
    BuildIndexes,
    DropIndex,
    MakeUnique,
    Operation,
    Phase,
    PrepareUnique,
    SetHidden,
    SetTTL,
    key_words,
)
from djongo_services.schema.plan import Change
from djongo_services.schema.spec import IndexSpec

Prune = Literal["report", "hide", "drop"]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexPolicy:
    prune: Prune = "report"
    named: Names[str] = ()
    """Indexes that were named for dropping: ``collection.index``; they are dropped even if they are
    in use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexChanges:
    changes: tuple[Change, ...]
    notes: tuple[Change, ...]


def diff_indexes(
    collection: Collection,
    wanted: tuple[IndexSpec, ...],
    server: Abilities,
    policy: IndexPolicy,
    *,
    empty: bool = False,
) -> IndexChanges:
    """Match the wanted indexes with the existing ones, first by name, then by meaning.

    ``empty`` says that the collection has no documents, if its statistics do not.
    """
    return _IndexDiff(collection, wanted, server, policy, empty).result()


def undeclared(
    collection: Collection, wanted: tuple[IndexSpec, ...], server: Abilities
) -> list[Index]:
    """The existing indexes that match no wanted one."""
    return _IndexDiff(collection, wanted, server, IndexPolicy(), True).left


class _IndexDiff:
    def __init__(
        self,
        collection: Collection,
        wanted: tuple[IndexSpec, ...],
        server: Abilities,
        policy: IndexPolicy,
        empty: bool,
    ) -> None:
        self.collection = collection
        self.empty = empty
        self.server = server
        self.policy = policy
        self.inherited: Mapping[str, Any] | None = collection.options.get("collation")
        own = [index for index in collection.indexes if not (index.is_id or index.clustered)]
        self.shadows = Shadows(own, wanted, self.inherited)
        existing = [index for index in own if not is_shadow(index.name)]
        self.pairs, self.left = match(wanted, existing, server, self.inherited)
        self.alike = {
            spec.name: index
            for spec, index in self.pairs
            if index and same(spec, index, self.inherited)
        }
        """By the wanted name, those that differ at most in name, visibility and TTL."""
        self.names = {spec.name for spec in wanted}
        self.wanted = wanted

    def result(self) -> IndexChanges:
        changes = [change for spec, index in self.pairs for change in self._change(spec, index)]
        changes = self._wait_for_names(list(self._in_the_way()) + changes)
        changes += self._tidy()
        pruned = list(self._prune())
        return IndexChanges(
            changes=(*changes, *(change for change in pruned if change.operations)),
            notes=(
                *(change for change in pruned if not change.operations),
                *self._superfluous(),
            ),
        )

    def _change(self, spec: IndexSpec, index: Index | None) -> Iterator[Change]:
        if index is None:
            yield self._create(spec)
        elif index.build is not None and spec.name in self.alike:
            wait = BuildIndexes(collection=self.collection.name, indexes=(self._as_spec(index),))
            yield self._made("~", f"index {index.name}: is being built; waits for it", (wait,))
        elif spec.name not in self.alike and not self._only_unique_missing(spec, index):
            yield self._rebuild(spec, index, self._differences(spec, index))
        elif index.expire_after_seconds is not None and self._ttl(spec) is None:
            yield self._rebuild(spec, index, "no longer a TTL index")
        elif self._needs_build_for_ttl(spec, index):
            yield self._rebuild(spec, index, "now a TTL index (was not)")
        elif spec.name != index.name and (spec.named or index.name in self.names):
            yield self._rebuild(spec, index, f"renamed from {index.name}")
        else:
            yield from self._modify(spec, index)

    def _create(self, spec: IndexSpec) -> Change:
        properties = _option_words(spec.options)
        operation = BuildIndexes(
            collection=self.collection.name, indexes=(spec,), expires=self._expires(spec)
        )
        return self._made(
            "+", f"index {spec.name} {key_words(spec.keys)}{properties}", (operation,)
        )

    def _rebuild(self, spec: IndexSpec, index: Index, difference: str) -> Change:
        steps, how = rebuild(self.collection.name, spec, index, self.shadows)
        steps = tuple(
            replace(step, expires=True)
            if isinstance(step, BuildIndexes)
            and self._expires(spec)
            and index.build is None
            and index.expire_after_seconds is None
            else step
            for step in steps
        )
        return self._made(
            "~", f"index {spec.name} {key_words(spec.keys)}: {difference}; {how}", steps
        )

    def _modify(self, spec: IndexSpec, index: Index) -> Iterator[Change]:
        """The changes that collMod can make to the existing index."""
        name, where = index.name, self.collection.name
        steps: list[Operation] = []
        said: list[str] = []
        ttl, found = self._ttl(spec), index.expire_after_seconds
        if ttl is not None and ttl != (None if found is None else int(found)):
            steps.append(SetTTL(collection=where, index=name, before=found, after=ttl))
            was = "never" if found is None else duration(found)
            said.append(f"now expires after {duration(ttl)} (was {was})")
        hidden = bool(spec.options.get("hidden"))
        if hidden != index.hidden:
            steps.append(SetHidden(collection=where, index=name, hidden=hidden))
            said.append("now hidden (was visible)" if hidden else "now visible (was hidden)")
        unique = bool(spec.options.get("unique"))
        if unique and not index.unique:
            if not index.prepare_unique:
                steps.append(PrepareUnique(collection=where, index=name))
            steps.append(MakeUnique(collection=where, index=name))
            said.append("now unique (was not)")
        elif index.prepare_unique and not guards(spec):
            steps.append(PrepareUnique(collection=where, index=name, prepare=False))
            said.append(
                "accepts duplicates again, because a conversion to unique was not completed"
            )
        if steps:
            words = f"index {name} {key_words(spec.keys)}: {', '.join(said)}"
            yield self._made("~", words, tuple(steps), found=index.definition)

    def _only_unique_missing(self, spec: IndexSpec, index: Index) -> bool:
        """Whether collMod can produce the wanted index by converting this one to unique."""
        if not (spec.options.get("unique") and not index.unique and self.server.prepare_unique):
            return False
        return same(replace(spec, options={**spec.options, "unique": False}), index, self.inherited)

    def _needs_build_for_ttl(self, spec: IndexSpec, index: Index) -> bool:
        """Whether a build is needed: only a single-field index can become a TTL index by collMod,
        and only from 5.1 on."""
        becomes = self._ttl(spec) is not None and index.expire_after_seconds is None
        return becomes and not self.server.ttl_conversion

    def _ttl(self, spec: IndexSpec) -> int | None:
        value = spec.options.get("expireAfterSeconds")
        # The server keeps whole seconds in 32 bits: it cuts fractions, and clamps larger values.
        return None if value is None else min(int(value), LONGEST_TTL)

    def _expires(self, spec: IndexSpec) -> bool:
        statistics = self.collection.statistics
        empty = self.empty or (statistics is not None and statistics.count == 0)
        return self._ttl(spec) is not None and not empty

    def _differences(self, spec: IndexSpec, index: Index) -> str:
        wanted, found = normal_spec(spec), normal_index(index)
        said: list[str] = []
        if wanted.keys != found.keys:
            said.append(f"keys were {key_words(index.keys)}")
        for option in ("unique", "sparse"):
            if bool(spec.options.get(option)) != bool(index.definition.get(option)):
                said.append(
                    f"now {option} (was not)" if spec.options.get(option) else f"no longer {option}"
                )
        if wanted.partial_filter != found.partial_filter:
            said.append(
                "another partial filter" if found.partial_filter else "now partial (was not)"
            )
        if wanted.weights != found.weights and wanted.keys == found.keys:
            said.append("other weights")
        if not same_collation(spec.options.get("collation"), index.collation, self.inherited):
            said.append("another collation")
        return ", ".join(said) or "other options"

    def _wait_for_names(self, changes: list[Change]) -> list[Change]:
        """Make a build wait for an index that still has its name and will be dropped.

        If the new index is unique, a shadow covers the wait: the old one may be what has kept
        values unique so far.
        """
        steps = [step for change in changes for step in change.operations]
        released = {
            step.index.name: step.index
            for step in steps
            if isinstance(step, DropIndex) and step.drop_phase is Phase.RELEASE
        }
        covered = any(guards(index) for index in released.values())

        def waiting(step: Operation) -> tuple[Operation, ...]:
            if not isinstance(step, BuildIndexes) or step.phase is not Phase.BUILD:
                return (step,)
            (spec,) = step.indexes
            if spec.name not in released:
                return (step,)
            waits = replace(step, build_phase=Phase.REBUILD)
            cover = covered and guards(spec) and around(step.collection, spec, self.shadows)
            before, after = cover or ((), ())
            return (*before, waits, *after)

        return [
            replace(change, operations=tuple(chain.from_iterable(map(waiting, change.operations))))
            for change in changes
        ]

    def _in_the_way(self) -> Iterator[Change]:
        """Undeclared indexes with a name that a model wants for another one."""
        for index in [index for index in self.left if index.name in self.names]:
            self.left.remove(index)
            step = DropIndex(
                collection=self.collection.name,
                index=self._as_spec(index),
                drop_phase=Phase.RELEASE,
            )
            what = f"index {index.name} {key_words(index.keys)}"
            yield self._made("-", f"{what}: no model declares it, and its name is needed", (step,))

    def _tidy(self) -> Iterator[Change]:
        """Shadows that an interrupted run left, and that this plan does not need."""
        for shadow in self.shadows.left.values():
            spec = self._as_spec(shadow)
            replaced = not guards(spec) or any(
                stands_in(shadow, one, self.inherited) for one in self.wanted
            )
            step = DropIndex(
                collection=self.collection.name,
                index=spec,
                drop_phase=Phase.TIDY,
                replaced=replaced,
            )
            words = f"index {shadow.name} {key_words(shadow.keys)}: left by an interrupted run"
            if not replaced:
                words += ", and no model declares its keys unique"
            yield self._made("-", words, (step,))

    def _prune(self) -> Iterator[Change]:
        """Indexes that no model declares."""
        for index in self.left:
            yield self._pruned(index)

    def _superfluous(self) -> Iterator[Change]:
        """Indexes that models declare although another one serves the same queries."""
        declared = [index for _, index in self.pairs if index is not None]
        for index, other in redundant(declared, {index.name for index in declared}):
            what = f"index {index.name} {key_words(index.keys)}"
            yield self._made(
                "~", f"{what}: {other.name} serves the same queries; leave it out of the model"
            )

    def _pruned(self, index: Index) -> Change:
        where = self.collection.name
        what = f"index {index.name} {key_words(index.keys)}: no model declares it"
        serving = next((other for other in self.alike.values() if covers(other, index)), None)
        if serving is not None:
            what += f", and {serving.name} serves the same queries"
        named = f"{where}.{index.name}" in self.policy.named
        if named or (self.policy.prune == "drop" and not _in_use(index)):
            return self._made("-", what, (DropIndex(collection=where, index=self._as_spec(index)),))
        match self.policy.prune:
            case "hide" if not index.hidden:
                step = SetHidden(collection=where, index=index.name, hidden=True, pruning=True)
                return self._made("~", f"{what}; hidden", (step,), found=index.definition)
            case "drop":
                return self._made("-", f"{what}, but it is in use; name it to drop it")
        return self._made("-", what)

    def _as_spec(self, index: Index) -> IndexSpec:
        return as_spec(index, self.inherited)

    def _made(
        self,
        sign: Any,
        words: str,
        operations: tuple[Operation, ...] = (),
        *,
        found: Mapping[str, Any] | None = None,
    ) -> Change:
        return Change(
            collection=self.collection.name,
            sign=sign,
            words=words,
            operations=operations,
            found=found,
        )


def _in_use(index: Index) -> bool:
    """Whether any member has used it since its start; unknown usage counts as use."""
    return index.usage is None or any(usage.operations for usage in index.usage)


def _option_words(options: Mapping[str, Any]) -> str:
    said = [name for name in ("unique", "sparse", "hidden") if options.get(name)]
    if "partialFilterExpression" in options:
        said.append("partial")
    if "expireAfterSeconds" in options:
        said.append(f"expires after {duration(options['expireAfterSeconds'])}")
    if "collation" in options:
        said.append(f"collation {options['collation'].get('locale')}")
    return f" {', '.join(said)}" if said else ""
