"""Differences and steps for pages: as text, rule by rule, and completely as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from djongo_services.admin.durations import about_text
from djongo_services.admin.plans import digest_of
from djongo_services.formatting import count, extended_json, printable, shortened
from djongo_services.schema.diff.definitions import (
    Definition,
    Key,
    LinePair,
    definitions,
    renamed,
    side_by_side,
)
from djongo_services.schema.diff.validators import changed_rules
from djongo_services.schema.estimating import UNKNOWN, Estimates
from djongo_services.schema.operations import (
    BuildIndexes,
    MakeUnique,
    Operation,
    Risk,
    SetValidator,
)
from djongo_services.schema.plan import Change, RuleChange, Sign
from djongo_services.schema.remaking import RemakeCollection
from djongo_services.schema.wording import risk_text

MOST_LINES = 1_000
"""The maximum number of lines of JSON, and of rules, on one page."""
MOST_STEPS = 100
"""The maximum number of steps of a run or a plan on one page."""
_LONGEST = 500
_LONGEST_LINE = 2_000
_KINDS = {"+": "added", "~": "changed", "-": "removed", "!": "impossible"}

ChecksOf: TypeAlias = Callable[[str], Mapping[str, Mapping[str, Any]]]
"""By collection, the constraints of its models that are parts of its validator, by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleCard:
    kind: str
    sign: str
    says: str
    """The meaning of the sign, for screen readers."""
    words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleList:
    shown: tuple[RuleCard, ...] = ()
    rest: str = ""
    """How many are left out, as text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DefinitionCard:
    title: str
    pairs: tuple[LinePair, ...]
    """Before and after side by side; empty if there is only one side."""
    only: str
    """The only side."""
    rest: str
    """How much is left out, as text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCard:
    collection: str
    words: str
    risk: str
    is_safe: bool
    is_grave: bool
    waits_for: str
    takes: str
    """The estimated duration; empty if nothing is known."""
    is_reversible: bool
    rules: RuleList = RuleList()
    definitions: tuple[DefinitionCard, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeCard:
    digest: str
    """Identifies the change in URLs."""
    kind: str
    """``added``, ``changed``, ``removed`` or ``impossible``: for the style."""
    sign: str
    says: str
    words: str
    rules: RuleList
    definitions: tuple[DefinitionCard, ...]
    risk: str
    is_safe: bool
    is_grave: bool
    takes: str
    steps: tuple[StepCard, ...]


@dataclass(kw_only=True, slots=True)
class Cards:
    """Creates the cards of one page, whose rules and JSON are truncated if they are too long."""

    estimates: Estimates = UNKNOWN
    checks: ChecksOf = lambda collection: {}
    lines: int = field(default_factory=lambda: MOST_LINES)
    """The number of further lines of JSON for the page."""
    rules: int = field(default_factory=lambda: MOST_LINES)
    """The number of further rules."""

    def changes(self, changes: Iterable[Change]) -> list[ChangeCard]:
        return [self._change(change) for change in changes]

    def steps(self, steps: Sequence[Operation], changes: Iterable[Change] = ()) -> list[StepCard]:
        """The steps, each with its rules; what several steps change is shown completely with the
        last of them.

        ``changes`` are the differences that the steps belong to, if they are known.
        """
        whole: dict[int, list[Definition]] = {}
        last = {key: number for number, step in enumerate(steps) for key in _keys(step)}
        for one in definitions(steps, _found(changes)):
            # If each step alone changes nothing, it is shown with the last one.
            number = last.get((one.collection, one.kind, one.name), len(steps) - 1)
            whole.setdefault(number, []).append(one)
        return [
            self._step(step, self._step_rules(step), self._definitions(whole.get(number, ())))
            for number, step in enumerate(steps)
        ]

    def _step_rules(self, step: Operation) -> RuleList:
        if not isinstance(step, SetValidator):
            return RuleList()
        return self._rules(changed_rules(step.before, step.after, self.checks(step.collection)))

    def _rules(self, rules: Sequence[RuleChange]) -> RuleList:
        shown = rules[: self.rules]
        self.rules -= len(shown)
        return RuleList(
            shown=tuple(map(_rule, shown)), rest=_rest_of_rules(len(rules) - len(shown))
        )

    def _change(self, change: Change) -> ChangeCard:
        return ChangeCard(
            digest=digest_of(change),
            kind=_KINDS[change.sign],
            sign=change.sign,
            says=_says(change.sign),
            words=shortened(printable(change.words), _LONGEST),
            rules=self._rules(change.rules),
            definitions=self._definitions(
                renamed(definitions(change.operations, _found([change])))
            ),
            risk=risk_text(change.risk),
            is_safe=change.risk is Risk.SAFE,
            is_grave=change.risk is Risk.DESTROYS,
            takes=about_text(self.estimates.of(change.operations)),
            steps=tuple(self._step(step) for step in change.operations),
        )

    def _step(
        self,
        step: Operation,
        rules: RuleList | None = None,
        whole: tuple[DefinitionCard, ...] = (),
    ) -> StepCard:
        return StepCard(
            collection=shortened(printable(step.collection), _LONGEST),
            words=shortened(printable(step.words()), _LONGEST),
            risk=risk_text(step.risk),
            is_safe=step.risk is Risk.SAFE,
            is_grave=step.risk is Risk.DESTROYS,
            waits_for=_waits_for(step),
            takes=about_text(self.estimates.of([step])),
            is_reversible=bool(step.inverse()),
            rules=rules or RuleList(),
            definitions=whole,
        )

    def _definitions(self, found: Iterable[Definition]) -> tuple[DefinitionCard, ...]:
        return tuple(self._definition(one) for one in found)

    def _definition(self, one: Definition) -> DefinitionCard:
        before = self._cut(one.before)
        after = self._cut(one.after)
        rest = before[1] + after[1]
        pairs = () if one.before is None or one.after is None else side_by_side(before[0], after[0])
        only = "" if pairs else before[0] or after[0]
        self.lines -= len(pairs) or only.count("\n") + 1
        return DefinitionCard(
            title=_title(one),
            pairs=tuple(pairs),
            only=only,
            rest=_rest(rest) if rest else "",
        )

    def _cut(self, document: Mapping[str, Any] | None) -> tuple[str, int]:
        """The document as Extended JSON, and the number of omitted lines."""
        if document is None:
            return "", 0
        lines = extended_json(document, indent=2).splitlines()
        shown = lines[: max(self.lines, 0)]
        return "\n".join(shortened(line, _LONGEST_LINE) for line in shown), len(lines) - len(shown)


def _keys(step: Operation) -> Iterator[Key]:
    """The objects that the step changes."""
    for one in definitions([step]):
        yield one.collection, one.kind, one.name


def _found(changes: Iterable[Change]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The definitions of indexes that are changed in place."""
    known = [(one.collection, one.found) for one in changes if one.found is not None]
    return {(collection, found["name"]): found for collection, found in known}


def _rule(rule: RuleChange) -> RuleCard:
    return RuleCard(
        kind=_KINDS[rule.sign],
        sign=rule.sign,
        says=_says(rule.sign),
        words=shortened(printable(rule.words), _LONGEST),
    )


def _says(sign: Sign) -> str:
    return {"+": _("added:"), "~": _("changed:"), "-": _("removed:"), "!": _("impossible:")}[sign]


def _waits_for(step: Operation) -> str:
    match step:
        case BuildIndexes():
            return _("a scan of the collection, and open transactions on it")
        case MakeUnique():
            return _("a scan of the index, during which the collection accepts no writes")
        case RemakeCollection():
            return _("a short exclusive lock on the collection, and open transactions")
    return _("a short exclusive lock on the collection")


def _title(one: Definition) -> str:
    match one.kind:
        case "index":
            return _("Index %(name)s") % {"name": shortened(printable(one.name), _LONGEST)}
        case "validator":
            return _("Validator")
        case "expiry":
            return _("Expiry of documents")
        case "collection":
            return _("Options of the collection")


def rest_text(number: int) -> str:
    """The text about omitted steps; empty if the page lists all of them."""
    if number <= 0:
        return ""
    return ngettext("%(rest)s more step.", "%(rest)s more steps.", number) % {"rest": count(number)}


def _rest_of_rules(number: int) -> str:
    if number <= 0:
        return ""
    said = ngettext(
        "%(count)s more rule, too many for this page.",
        "%(count)s more rules, too many for this page.",
        number,
    )
    return said % {"count": count(number)}


def _rest(number: int) -> str:
    said = ngettext(
        "%(count)s more line, too many for this page.",
        "%(count)s more lines, too many for this page.",
        number,
    )
    return said % {"count": count(number)}
