"""The words of plans and runs that commands and pages share, in the reader's language."""

from __future__ import annotations

from djongo_services.durations import about_text
from djongo_services.formatting import count
from djongo_services.schema.estimating import BuildEstimate
from djongo_services.schema.operations import Risk
from djongo_services.schema.plan import Plan
from djongo_services.schema.summary import RunSummary
from djongo_services.translation import gettext as _
from djongo_services.translation import ngettext


def plan_text(plan: Plan) -> str:
    """``Plan: 2 to add, 1 to change, 1 to drop; 3 steps.``, or that the database is in sync.

    A step is one command or more, and is what is applied, counted and kept in the history: the
    indexes of a collection are built in one.
    """
    if plan.in_sync:
        return _("In sync: %(database)s matches the models.") % {"database": plan.database}
    changes = ", ".join(filter(None, _parts(plan)))
    steps = len(plan.operations)
    if not steps:
        return _("Plan: %(changes)s.") % {"changes": changes}
    words = {"changes": changes, "steps": steps_text(steps)}
    return _("Plan: %(changes)s; %(steps)s.") % words


def _parts(plan: Plan) -> list[str]:
    """Phrases; empty for what there is none of."""
    added, changed = plan.count("+"), plan.count("~")
    dropped, impossible = plan.count("-"), plan.count("!")
    waiting = len(plan.waiting)
    texts = (
        (added, ngettext("%(count)s to add", "%(count)s to add", added)),
        (changed, ngettext("%(count)s to change", "%(count)s to change", changed)),
        (dropped, ngettext("%(count)s to drop", "%(count)s to drop", dropped)),
        (
            impossible,
            ngettext(
                "%(count)s that cannot be changed", "%(count)s that cannot be changed", impossible
            ),
        ),
        (
            waiting,
            ngettext(
                "%(count)s migration to apply first", "%(count)s migrations to apply first", waiting
            ),
        ),
    )
    return [text % {"count": number} if number else "" for number, text in texts]


def estimate_text(estimate: BuildEstimate) -> str:
    """What the builds take together, and how that is known."""
    time = {"time": about_text(estimate.low, estimate.high)}
    if not estimate.builds:
        return _("Index builds take %(time)s, estimated from usual speeds of servers.") % time
    text = ngettext(
        "Index builds take %(time)s, estimated from %(count)s earlier build in this database.",
        "Index builds take %(time)s, estimated from %(count)s earlier builds in this database.",
        estimate.builds,
    )
    return text % {**time, "count": count(estimate.builds)}


def summary_text(summary: RunSummary) -> str:
    """``6 validators, 3 indexes``; as :meth:`RunSummary.words`."""
    said = [_counted(kind, number) for kind, number in summary.counts()]
    return ", ".join(said) or steps_text(summary.steps)


def steps_text(number: int) -> str:
    return ngettext("%(count)s step", "%(count)s steps", number) % {"count": count(number)}


def risk_text(risk: Risk) -> str:
    return {
        Risk.SAFE: _("safe"),
        Risk.SLOW: _("slow"),
        Risk.BLOCKS: _("blocks writes"),
        Risk.DESTROYS: _("destroys"),
    }[risk]


def _counted(kind: str, number: int) -> str:
    said = {
        "collections": ngettext("%(count)s collection", "%(count)s collections", number),
        "validators": ngettext("%(count)s validator", "%(count)s validators", number),
        "indexes": ngettext("%(count)s index", "%(count)s indexes", number),
        "expiries": ngettext("%(count)s expiry", "%(count)s expiries", number),
    }
    return said[kind] % {"count": count(number)}
