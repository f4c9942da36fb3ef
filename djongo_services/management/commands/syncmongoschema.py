"""``manage.py syncmongoschema``: make the database match the models."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from djongo_services.connections import Connection
from djongo_services.formatting import printable
from djongo_services.management.base import ExitCode, ServiceCommand
from djongo_services.management.interruption import stop_on_interrupt
from djongo_services.management.policy import POLICY, add_policy_arguments, policy_of
from djongo_services.management.progress_line import drawing_steps
from djongo_services.progress import Stop
from djongo_services.schema.applying import ApplyingInterrupted, History, Locked, RunStopped, apply
from djongo_services.schema.applying.running import OperationRefused
from djongo_services.schema.estimating import read_estimates
from djongo_services.schema.migrating.receivers import end_runs
from djongo_services.schema.migrating.waiting import refuse_waiting, waiting_migrations
from djongo_services.schema.operations import Operation, Risk
from djongo_services.schema.plan import Plan
from djongo_services.schema.rendering import load, render_json, render_text
from djongo_services.schema.reporting import (
    duplicates_text,
    history_json,
    history_text,
    references_text,
    violations_json,
    violations_text,
)
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.syncing import check_violators, list_violations, make_plan
from djongo_services.schema.target import models_of, nothing_chosen, select_specs, specs_for
from djongo_services.schema.undoing import LaterRuns, UnknownRun, plan_rollback
from djongo_services.translation import all_of

WITHOUT_MODELS = ("from_plan", "rollback", "history")
"""Modes that say themselves what they are about."""


class Command(ServiceCommand):
    help = gettext_noop(
        "Make the collections, validators and indexes of a MongoDB database match the models. "
        "Without a mode the plan is made and applied. Exit code 1: --check found a difference; "
        "3: another run is in progress."
    )
    epilog = gettext_noop(
        "What a validator enforces is set by DJONGO_SERVICES['SCHEMA']['RULES']: 'database' "
        "(default) refuses what one of Django's SQL databases would refuse: wrong types, null, "
        "values longer than max_length, too many digits, negative positive integers, and what "
        "breaks a CheckConstraint. 'model' also refuses what full_clean() would refuse: values "
        "that are not among the choices, that break a field's validators, or that are blank. "
        "'off' writes no validator. A dict sets rules by app, by 'app.Model', and by '*' for the "
        "rest; @collection_options(rules=...) of a model overrides the setting."
    )
    formats = ("text", "json")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "labels",
            nargs="*",
            metavar="APP[.MODEL]",
            help=_("Only the collections of these apps and models (default: all)."),
        )
        super().add_arguments(parser)
        parser.epilog = _(self.epilog)
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--plan", action="store_true", help=_("Show what would be done."))
        mode.add_argument(
            "--check",
            action="store_true",
            help=_("Like --plan; exit code 1 where anything differs."),
        )
        mode.add_argument(
            "--from-plan",
            type=Path,
            metavar="FILE",
            help=_(
                "Apply a plan saved by --plan --format json, if the database is still the same."
            ),
        )
        mode.add_argument(
            "--rollback",
            metavar="RUN",
            help=_(
                "Undo a run of --history. Refused where later runs changed the same indexes or "
                "validators."
            ),
        )
        mode.add_argument("--history", action="store_true", help=_("Show the latest runs."))
        mode.add_argument(
            "--violations",
            type=int,
            metavar="N",
            help=_("Show N documents of each collection that its validator refuses, and why."),
        )
        parser.add_argument(
            "--with-later",
            action="store_true",
            help=_(
                "With --rollback: also undo the later runs that changed the same, newest first."
            ),
        )
        add_policy_arguments(parser)

    def handle(self, *, labels: Sequence[str], database: str, **options: Any) -> None:
        _check_options(labels, options)
        self.check_output(options["output"])
        end_runs()
        connection = self.connect(database, verbosity=options["verbosity"])
        with self._describing(connection), stop_on_interrupt() as stop:
            if options["history"]:
                self._history(connection, options)
            elif options["rollback"] is not None:
                self._roll_back(connection, options, stop)
            else:
                self._sync(connection, labels, options, stop)

    def _sync(
        self, connection: Connection, labels: Sequence[str], options: dict[str, Any], stop: Stop
    ) -> None:
        if options["from_plan"] is not None:
            saved = _read_plan(Path(options["from_plan"]), connection)
            named = [spec for spec in specs_for(connection) if spec.name in saved.collections]
            refuse_waiting(connection, named)
            check_violators(connection.database, saved)
            self._apply(connection, saved, options, stop)
            return
        wanted = specs_for(connection)
        if not wanted and not labels:
            raise _trouble(nothing_chosen(connection))
        specs = select_specs(wanted, labels)
        if options["violations"] is not None:
            self._violations(connection, specs, options)
            return
        if not (options["plan"] or options["check"]):
            refuse_waiting(connection, specs)
        with self.progress(options) as progress:
            plan = make_plan(
                connection.database,
                specs,
                policy_of(options),
                progress=progress,
                stop=stop,
            )
        if stop.is_set():
            raise ApplyingInterrupted
        if options["plan"] or options["check"]:
            plan = replace(plan, waiting=waiting_migrations(connection, specs))
        if options["plan"]:
            self._show(connection, plan, options)
        elif options["check"]:
            self._check(connection, specs, plan, options)
        else:
            self._apply(connection, plan, options, stop)

    def _check(
        self,
        connection: Connection,
        specs: Sequence[CollectionSpec],
        plan: Plan,
        options: dict[str, Any],
    ) -> None:
        self._show(connection, plan, options)
        dangling = False
        if options["references"]:
            from djongo_services.schema.references import audit_references, spec_references

            backend = connection.settings.database is not None
            beside = models_of(connection)
            declared = spec_references(specs, backend=backend, among=beside)
            with self.progress(options) as progress:
                found = audit_references(connection.database, declared, progress=progress)
            dangling = bool(found)
            self.notice(references_text(found))
        if dangling or not plan.in_sync:
            sys.exit(ExitCode.DIFFERS)

    def _apply(
        self, connection: Connection, plan: Plan, options: dict[str, Any], stop: Stop
    ) -> None:
        self._show(connection, plan, options)
        if not plan.operations:
            return
        self._permit(plan.operations, options)
        with self._steps(options) as progress:
            run = apply(connection.database, plan, progress=progress, stop=stop)
        _tell(connection, plan, run)
        if options["verbosity"]:
            count = len(plan.operations)
            text = ngettext(
                "Applied %(count)s step in run %(run)s.",
                "Applied %(count)s steps in run %(run)s.",
                count,
            )
            self.notice(text % {"count": count, "run": run})

    def _roll_back(self, connection: Connection, options: dict[str, Any], stop: Stop) -> None:
        run, with_later = _run_id(options["rollback"]), options["with_later"]
        try:
            rollback = plan_rollback(connection.database, run, with_later=with_later)
        except UnknownRun as error:
            raise _no_run(str(run)) from error
        except LaterRuns as error:
            text = _("%(error)s Roll those back first, or add --with-later.")
            raise _trouble(text % {"error": error}) from error
        undo = rollback.plan.operations
        for operation in rollback.final:
            text = _("Cannot be undone: %(collection)s: %(step)s")
            self.notice(text % _step(operation))
        for operation in undo:
            self.notice("{collection}: {step}".format_map(_step(operation)))
        if not undo:
            raise _trouble(_("Nothing of run %(run)s can be undone.") % {"run": run})
        self._permit(undo, options)
        with self._steps(options) as progress:
            undone = apply(
                connection.database,
                rollback.plan,
                progress=progress,
                stop=stop,
                rolls_back=rollback.runs,
            )
        each = [_("run %(run)s") % {"run": other} for other in (run, *rollback.runs[-2::-1])]
        text = _("Rolled back %(runs)s in run %(run)s.")
        self.notice(text % {"runs": all_of(each), "run": undone})

    def _history(self, connection: Connection, options: dict[str, Any]) -> None:
        runs = History(connection.database).runs()
        machine = options["format"] == "json"
        self._deliver(history_json(runs) if machine else history_text(runs), options)

    def _violations(
        self, connection: Connection, specs: Sequence[CollectionSpec], options: dict[str, Any]
    ) -> None:
        found = list(list_violations(connection.database, specs, limit=options["violations"]))
        machine = options["format"] == "json"
        self._deliver(violations_json(found) if machine else violations_text(found), options)

    def _show(self, connection: Connection, plan: Plan, options: dict[str, Any]) -> None:
        known, color = (
            read_estimates(connection.database, plan.operations),
            self.wants_color(options),
        )
        machine = options["format"] == "json"
        text = render_json(plan, known) if machine else render_text(plan, known, color=color)
        self._deliver(text, options)

    def _deliver(self, text: str, options: dict[str, Any]) -> None:
        self.deliver(
            text,
            output=options["output"],
            machine=options["format"] == "json",
            verbosity=options["verbosity"],
        )

    def _permit(self, operations: Sequence[Operation], options: dict[str, Any]) -> None:
        """Let destructive steps through only when they are allowed, and then ask."""
        grave = [step for step in operations if step.risk is Risk.DESTROYS]
        if not grave:
            return
        first = "{collection}: {step}".format_map(_step(grave[0]))
        words = {"count": len(grave), "total": len(operations), "first": first}
        if not options["allow_destructive"]:
            text = ngettext(
                "%(count)s of %(total)s steps is destructive, the first is '%(first)s'; nothing "
                "was done. Add --allow-destructive to apply them.",
                "%(count)s of %(total)s steps are destructive, the first is '%(first)s'; nothing "
                "was done. Add --allow-destructive to apply them.",
                len(grave),
            )
            raise _trouble(text % words)
        if options["noinput"]:
            return
        if not sys.stdin.isatty():
            raise _trouble(
                _("Not running in a terminal; pass --noinput to confirm destructive steps.")
            )
        text = ngettext(
            "%(count)s step is destructive, the first is '%(first)s'.",
            "%(count)s steps are destructive, the first is '%(first)s'.",
            len(grave),
        )
        self.ask(text % words)

    @contextmanager
    def _steps(self, options: dict[str, Any]) -> Iterator[Any]:
        """An ApplyHook that draws on the progress line, or None."""
        with self.progress(options) as line:
            yield None if line is None else drawing_steps(line)

    @contextmanager
    def _describing(self, connection: Connection) -> Iterator[None]:
        with self.describing_errors(connection):
            try:
                yield
            except Locked as error:
                raise CommandError(str(error), returncode=ExitCode.LOCKED) from error
            except ApplyingInterrupted as error:
                raise CommandError(_interrupted(error), returncode=ExitCode.INTERRUPTED) from error
            except OperationRefused as error:
                if error.duplicates:
                    self.notice(duplicates_text(error.duplicates))
                raise


def _check_options(labels: Sequence[str], options: dict[str, Any]) -> None:
    if options["references"] and not options["check"]:
        raise _trouble(_("--references requires --check."))
    if options["with_later"] and options["rollback"] is None:
        raise _trouble(_("--with-later requires --rollback."))
    if options["violations"] is not None and options["violations"] < 1:
        text = _("--violations must be positive, not %(given)s.")
        raise _trouble(text % {"given": options["violations"]})
    for mode in (*WITHOUT_MODELS, "violations"):
        if not options[mode]:
            continue
        given = [_flag(name) for name in POLICY if options[name] not in (None, "report", [])]
        if labels and mode in WITHOUT_MODELS:
            given.append("APP[.MODEL]")
        if given:
            text = _("%(one)s cannot be combined with %(other)s.")
            raise _trouble(text % {"one": given[0], "other": _flag(mode)})


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _read_plan(path: Path, connection: Connection) -> Plan:
    try:
        plan = load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or _("it is not UTF-8 text")
        text = _("Cannot read the plan %(path)r: %(reason)s.")
        raise _trouble(text % {"path": str(path), "reason": reason}) from error
    if plan.database != connection.database_name:
        text = _(
            "The plan is for the database %(planned)r, not %(database)r; name its connection with "
            "--database."
        )
        raise _trouble(text % {"planned": plan.database, "database": connection.database_name})
    return plan


def _run_id(text: str) -> ObjectId:
    try:
        return ObjectId(text)
    except InvalidId:
        raise _no_run(text) from None


def _no_run(text: str) -> CommandError:
    return _trouble(_("No run %(run)r; list runs with --history.") % {"run": text})


def _step(operation: Operation) -> dict[str, str]:
    return {"collection": operation.collection, "step": printable(operation.words())}


def _interrupted(error: ApplyingInterrupted) -> str:
    if isinstance(error, RunStopped):
        text = _(
            "Stopped by %(user)s: completed steps are kept; run the command again to continue."
        )
        return text % {"user": printable(error.by)}
    return _("Interrupted: completed steps are kept; run the command again to continue.")


def _tell(connection: Connection, plan: Plan, run: ObjectId) -> None:
    from djongo_services.schema.signals import schema_synced

    schema_synced.send(Plan, using=connection.alias, plan=plan, run=run)


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
