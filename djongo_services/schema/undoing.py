"""Undoing runs of the history: a plan from the database's state to its state before them.

The steps are not simply reversed. Their inverses are applied backwards to the current state, which
yields the earlier one, and the way there is planned like any other difference: an index that is
restored is built behind a shadow, and nothing that was changed since is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from djongo_services.exceptions import DjongoServicesError
from djongo_services.introspection import read_catalog
from djongo_services.introspection.catalog import Catalog, Collection, Validator
from djongo_services.schema.applying import History, SchemaRun
from djongo_services.schema.diff.indexes import IndexPolicy, diff_indexes
from djongo_services.schema.diff.matching import same_definition
from djongo_services.schema.diff.rebuild import as_spec, is_shadow
from djongo_services.schema.diff.validators import same_validator
from djongo_services.schema.operations import (
    BuildIndexes,
    DropIndex,
    Operation,
    PrepareUnique,
    SetCollectionTTL,
    SetHidden,
    SetTTL,
    SetValidator,
)
from djongo_services.schema.plan import Change, Plan, fingerprint
from djongo_services.schema.spec import IndexSpec
from djongo_services.schema.summary import objects_of
from djongo_services.translation import gettext as _

Document = dict[str, Any]
Touched = tuple[str, str]
"""A collection and its changed part: ``validator``, ``expiry`` or ``index NAME``."""


class RollbackRefused(DjongoServicesError):
    """The run cannot be rolled back."""


class UnknownRun(RollbackRefused):
    """The history has no such run."""


class LaterRuns(RollbackRefused):
    """Later runs have changed the same objects."""

    def __init__(self, message: str, runs: tuple[ObjectId, ...]) -> None:
        super().__init__(message)
        self.runs = runs
        """The runs, newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollback:
    plan: Plan
    runs: tuple[ObjectId, ...]
    """The runs that it undoes, newest first; the last is the requested one."""
    final: tuple[Operation, ...]
    """Steps that cannot be undone."""


def plan_rollback(
    database: Database[Document], run: ObjectId, *, with_later: bool = False
) -> Rollback:
    """The plan that undoes the run; ``with_later`` also undoes the later runs that prevent it.

    The plan is for :func:`~djongo_services.schema.applying.apply`, with ``rolls_back``. Raises
    UnknownRun, LaterRuns, and RollbackRefused if the run was rolled back already or something else
    has changed the same objects since.
    """
    history = History(database)
    runs = _to_undo(history, run, with_later=with_later)
    steps = [step for one in runs for step in reversed(list(history.steps(one))) if step.was_begun]
    names = sorted({step.operation.collection for step in steps})
    catalog = read_catalog(database, names=names, statistics=False, usage=False, multikey=False)
    backwards = {found.name: _Backwards(found) for found in catalog.collections}
    final: list[Operation] = []
    for step in steps:
        inverse = step.operation.inverse()
        if not inverse and step.status == "done":
            final.append(step.operation)
        for undo in inverse:
            if undo.collection in backwards:  # If it no longer exists, there is nothing to undo.
                backwards[undo.collection].follow(undo)
    _refuse_changed(run, backwards.values())
    changes = [change for one in backwards.values() for change in one.changes(catalog)]
    plan = Plan(
        database=catalog.database,
        fingerprint=fingerprint(catalog, names),
        collections=tuple(names),
        changes=tuple(changes),
    )
    return Rollback(plan=plan, runs=runs, final=tuple(final))


class _Backwards:
    """A collection on the way from its current state to the earlier one."""

    def __init__(self, found: Collection) -> None:
        self.found = found
        self.collation = found.options.get("collation")
        self.validator = _set(found.validator)
        self.expiry = found.options.get("expireAfterSeconds")
        self.indexes = {
            index.name: as_spec(index, self.collation)
            for index in found.indexes
            if not (index.is_id or index.clustered or is_shadow(index.name))
        }
        self.changed: list[str] = []
        """What differs both from the state after the undone step and from the state before it."""

    def follow(self, undo: Operation) -> None:
        match undo:
            case SetValidator(before=left, after=was):
                if _same(self.validator, left):
                    self.validator = was
                elif not _same(self.validator, was):
                    self.changed.append(_("validator"))
            case SetCollectionTTL(before=left, after=was):
                if self.expiry == left:
                    self.expiry = was
                elif self.expiry != was:
                    self.changed.append(_("expiry"))
            case _:
                self._follow_index(undo)

    def _follow_index(self, undo: Operation) -> None:
        match undo:
            case SetTTL(index=name, before=left, after=was):
                self._set_option(name, "expireAfterSeconds", left, was)
            case SetHidden(index=name, hidden=hidden):
                self._set_option(name, "hidden", not hidden, hidden)
            case PrepareUnique(index=name, prepare=prepare):
                self._set_option(name, "prepareUnique", not prepare, prepare)
            case BuildIndexes(indexes=specs):
                for spec in specs:
                    self._build(spec)
            case DropIndex(index=spec):
                self._drop(spec)

    def changes(self, catalog: Catalog) -> Iterator[Change]:
        where = self.found.name
        if not _same(_set(self.found.validator), self.validator):
            before = _set(self.found.validator)
            yield _change(SetValidator(collection=where, before=before, after=self.validator))
        expiry = self.found.options.get("expireAfterSeconds")
        if expiry != self.expiry:
            yield _change(SetCollectionTTL(collection=where, before=expiry, after=self.expiry))
        gone = [f"{where}.{index.name}" for index in self.found.indexes]
        wanted = tuple(self.indexes.values())
        yield from diff_indexes(self.found, wanted, catalog.server, IndexPolicy(named=gone)).changes

    def _build(self, spec: IndexSpec) -> None:
        if is_shadow(spec.name):
            return
        there = self.indexes.get(spec.name)
        if there is None:
            self.indexes[spec.name] = spec
        elif not self._are_same(spec, there):
            self.changed.append(_("index %(name)s") % {"name": spec.name})

    def _drop(self, spec: IndexSpec) -> None:
        there = self.indexes.get(spec.name)
        if there is None or is_shadow(spec.name):
            return
        if self._are_same(spec, there):
            del self.indexes[spec.name]
        else:
            self.changed.append(_("index %(name)s") % {"name": spec.name})

    def _set_option(self, name: str, option: str, left: Any, was: Any) -> None:
        spec = self.indexes.get(name)
        if spec is None:
            return  # It was dropped in the meantime: there is nothing to undo.
        if option == "prepareUnique" and spec.options.get("unique"):
            return  # The conversion was finished, and cannot be undone.
        there = spec.options.get(option) or None
        if there == (left or None):
            self.indexes[name] = replace(spec, options={**spec.options, option: was})
        elif there != (was or None):
            self.changed.append(_("index %(name)s") % {"name": name})

    def _are_same(self, one: IndexSpec, other: IndexSpec) -> bool:
        return same_definition(one, other, self.collation)


def _to_undo(history: History, run: ObjectId, *, with_later: bool) -> tuple[ObjectId, ...]:
    """The run, after those that must be undone before it."""
    asked = history.run(run)
    if asked is None:
        raise UnknownRun(_("No run %(run)s.") % {"run": run})
    later = list(_in_force(asked, list(history.later(asked))))
    touched = _touched(history, [run, *(other.id for other in later)])
    union = set(touched[run])
    before: list[SchemaRun] = []
    for other in later:
        if union & touched[other.id] or run in other.rolls_back:
            before.insert(0, other)
            union |= touched[other.id]
    # An unfinished rollback of the run itself is continued.
    blocking = [other.id for other in before if run not in other.rolls_back]
    if blocking and not with_later:
        each = _("run %(run)s (%(objects)s)")
        told = [each % {"run": one, "objects": _listed(touched[one])} for one in blocking]
        text = _(
            "Run %(run)s cannot be rolled back alone, because later runs changed the same "
            "objects: %(runs)s."
        )
        raise LaterRuns(text % {"run": run, "runs": "; ".join(told)}, tuple(blocking))
    return (*(other.id for other in before), run)


def _in_force(asked: SchemaRun, later: list[SchemaRun]) -> Iterator[SchemaRun]:
    """The later runs, oldest first, without those that were rolled back, and without their
    rollbacks.

    Raises RollbackRefused if the run itself was rolled back.
    """
    undone, settled = set[ObjectId](), set[ObjectId]()
    for other in reversed(later):
        if other.id in undone or not other.rolls_back:
            continue
        if other.status == "done" and asked.id in other.rolls_back:
            text = _("Run %(run)s was rolled back by run %(other)s already.")
            raise RollbackRefused(text % {"run": asked.id, "other": other.id})
        # An unfinished one counts as settled too, if a later one did.
        if other.status == "done" or undone.issuperset(other.rolls_back):
            undone |= set(other.rolls_back)
            settled.add(other.id)
    return (other for other in later if other.id not in undone | settled)


def _listed(touched: Iterable[Touched]) -> str:
    return ", ".join(_of(what, collection) for collection, what in sorted(touched))


def _of(what: str, collection: str) -> str:
    return _("%(what)s of %(collection)s") % {"what": what, "collection": collection}


def _touched(history: History, runs: Sequence[ObjectId]) -> dict[ObjectId, set[Touched]]:
    touched: dict[ObjectId, set[Touched]] = {run: set() for run in runs}
    for run, step in history.steps_of(runs):
        if step.was_begun:
            touched[run] |= {(step.operation.collection, what) for what in _objects(step.operation)}
    return touched


def _objects(operation: Operation) -> Iterator[str]:
    for kind, name in objects_of(operation):
        match kind:
            case "validators":
                yield _("validator")
            case "expiries":
                yield _("expiry")
            case "indexes":
                yield _("index %(name)s") % {"name": name}


def _refuse_changed(run: ObjectId, collections: Iterable[_Backwards]) -> None:
    changed = [
        _of(what, one.found.name) for one in collections for what in dict.fromkeys(one.changed)
    ]
    if changed:
        text = _(
            "Run %(run)s cannot be rolled back, because the same objects were changed since: "
            "%(objects)s."
        )
        raise RollbackRefused(text % {"run": run, "objects": ", ".join(changed)})


def _change(operation: Operation) -> Change:
    return Change(
        collection=operation.collection,
        sign="~",
        words=operation.words(),
        operations=(operation,),
    )


def _set(validator: Validator | None) -> Validator | None:
    """The validator; an emptied one stays in the options as {}."""
    return validator if validator and validator.query else None


def _same(one: Validator | None, other: Validator | None) -> bool:
    one, other = _set(one), _set(other)
    return one is other if one is None or other is None else same_validator(one, other)
