"""``manage.py syncmongoschema``: make the database what the models say."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bson import ObjectId
from bson.errors import InvalidId
from django.core.management.base import CommandError, CommandParser

from djongo_services.connections import Connection
from djongo_services.introspection.progress import Stop
from djongo_services.introspection.rendering.printable import printable
from djongo_services.management.base import ExitCode, ServiceCommand
from djongo_services.management.interruption import stop_on_interrupt
from djongo_services.schema.applying import History, Interrupted, Locked, apply, inverses, roll_back
from djongo_services.schema.applying.running import OperationRefused
from djongo_services.schema.diff import IndexPolicy, ValidationPolicy
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
from djongo_services.schema.syncing import Policy, check_violators, list_violations, make_plan
from djongo_services.schema.target import models_of, select_specs, specs_for

WITHOUT_MODELS = ("from_plan", "rollback", "history")
"""Modes that say themselves what they are about."""
POLICY = ("prune", "drop_index", "validation", "validation_action")
"""Options that only matter where a plan is made."""


class Command(ServiceCommand):
    help = (
        "Make the collections, validators and indexes of a MongoDB database what the models say. "
        "Without a mode the plan is made and applied. Exit code 1: --check found a difference; "
        "3: another run is at work."
    )
    formats = ("text", "json")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "labels",
            nargs="*",
            metavar="APP[.MODEL]",
            help="Only the collections of these apps and models (default: all).",
        )
        super().add_arguments(parser)
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--plan", action="store_true", help="Show what would be done.")
        mode.add_argument(
            "--check", action="store_true", help="Like --plan; exit code 1 where anything differs."
        )
        mode.add_argument(
            "--from-plan",
            type=Path,
            metavar="FILE",
            help="Apply a plan saved by --plan --format json, if the database is still the same.",
        )
        mode.add_argument("--rollback", metavar="RUN", help="Undo a run of --history.")
        mode.add_argument("--history", action="store_true", help="Show the latest runs.")
        mode.add_argument(
            "--violations",
            type=int,
            metavar="N",
            help="Show N documents of each collection that its validator refuses, and why.",
        )
        self._add_policy(parser)

    def _add_policy(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--prune",
            choices=("report", "hide", "drop"),
            default="report",
            help="Indexes that no model declares. drop leaves those in use (default: %(default)s).",
        )
        parser.add_argument(
            "--drop-index",
            action="append",
            default=[],
            metavar="COLLECTION.INDEX",
            help="Drop this undeclared index although it is in use; may be repeated.",
        )
        parser.add_argument(
            "--validation",
            choices=("off", "moderate", "strict"),
            help="The validators' level; off leaves them alone (default: moderate while documents "
            "violate them, else strict).",
        )
        parser.add_argument(
            "--validation-action",
            choices=("warn", "error"),
            help="What a violation does (default: warn while there are any, else error).",
        )
        parser.add_argument(
            "--references",
            action="store_true",
            help="With --check: also look for foreign keys whose target does not exist.",
        )
        parser.add_argument(
            "--allow-destructive",
            action="store_true",
            help="Allow steps that drop indexes or let documents expire.",
        )
        parser.add_argument(
            "--noinput", action="store_true", help="Do not ask before destructive steps."
        )

    def handle(self, *, labels: Sequence[str], database: str, **options: Any) -> None:
        _check_options(labels, options)
        self.check_output(options["output"])
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
            saved = _read_plan(options["from_plan"], connection)
            check_violators(connection.database, saved)
            self._apply(connection, saved, options, stop)
            return
        specs = select_specs(specs_for(connection), labels)
        if options["violations"] is not None:
            self._violations(connection, specs, options)
            return
        counting = not options["check"]
        with self.progress(options) as progress:
            plan = make_plan(
                connection.database,
                specs,
                _policy(options),
                count=counting,
                progress=progress,
                stop=stop,
            )
        if stop.is_set():
            raise Interrupted
        if options["plan"]:
            self._show(plan, options)
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
        self._show(plan, options)
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
        self._show(plan, options)
        if not plan.operations:
            return
        self._permit(plan.operations, options)
        with self._steps(options) as progress:
            run = apply(connection.database, plan, progress=progress, stop=stop)
        _tell(connection, plan, run)
        if options["verbosity"]:
            count = len(plan.operations)
            steps = "step" if count == 1 else "steps"
            self.notice(f"Applied {count} {steps} in run {run}.")

    def _roll_back(self, connection: Connection, options: dict[str, Any], stop: Stop) -> None:
        run = _run_id(options["rollback"])
        history = History(connection.database)
        if history.run(run) is None:
            raise _trouble(f"There is no run {run}; see --history.")
        undo, final = inverses(list(history.steps(run)))
        for operation in final:
            self.notice(f"Cannot be undone: {operation.collection}: {printable(operation.words())}")
        for operation in undo:
            self.notice(f"{operation.collection}: {printable(operation.words())}")
        if not undo:
            raise _trouble(f"Nothing of run {run} can be undone.")
        self._permit(undo, options)
        with self._steps(options) as progress:
            undone = roll_back(connection.database, run, progress=progress, stop=stop)
        self.notice(f"Rolled back run {run} in run {undone}.")

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

    def _show(self, plan: Plan, options: dict[str, Any]) -> None:
        if options["format"] == "json":
            self._deliver(render_json(plan), options)
        else:
            self._deliver(render_text(plan, color=self.wants_color(options)), options)

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
        first = f"{grave[0].collection}: {printable(grave[0].words())}"
        verb = "destroys" if len(grave) == 1 else "destroy"
        if not options["allow_destructive"]:
            raise _trouble(
                f"{len(grave)} of {len(operations)} steps {verb} something, the first is "
                f"«{first}»; nothing was done. Add --allow-destructive to do them."
            )
        if options["noinput"]:
            return
        if not sys.stdin.isatty():
            raise _trouble("Nobody is there to ask; add --noinput to do destructive steps.")
        steps = "step" if len(grave) == 1 else "steps"
        self.ask(f"{len(grave)} {steps} {verb} something, the first is «{first}».")

    @contextmanager
    def _steps(self, options: dict[str, Any]) -> Iterator[Any]:
        """An ApplyHook that draws on the progress line, or None."""
        from djongo_services.introspection.progress import Progress
        from djongo_services.schema.applying import ApplyProgress

        with self.progress(options) as line:
            if line is None:
                yield None
                return

            def tell(at: ApplyProgress) -> None:
                words = f"{at.operation.words()} ({at.number + 1} of {at.total})"
                line(
                    Progress(
                        collection=at.operation.collection,
                        phase=printable(words),
                        done=at.done,
                        total=at.of or None,
                    )
                )

            yield tell

    @contextmanager
    def _describing(self, connection: Connection) -> Iterator[None]:
        with self.describing_errors(connection):
            try:
                yield
            except Locked as error:
                raise CommandError(str(error), returncode=ExitCode.LOCKED) from error
            except Interrupted as error:
                raise CommandError(
                    "Interrupted: what was done stays done; run the command again to go on.",
                    returncode=ExitCode.INTERRUPTED,
                ) from error
            except OperationRefused as error:
                if error.duplicates:
                    self.notice(duplicates_text(error.duplicates))
                raise


def _policy(options: dict[str, Any]) -> Policy:
    return Policy(
        indexes=IndexPolicy(prune=options["prune"], named=tuple(options["drop_index"])),
        validation=ValidationPolicy(
            level=options["validation"], action=options["validation_action"]
        ),
    )


def _check_options(labels: Sequence[str], options: dict[str, Any]) -> None:
    if options["references"] and not options["check"]:
        raise _trouble("--references belongs to --check.")
    if options["violations"] is not None and options["violations"] < 1:
        raise _trouble(f"--violations is a number above 0, not {options['violations']}.")
    for mode in (*WITHOUT_MODELS, "violations"):
        if not options[mode]:
            continue
        given = [_flag(name) for name in POLICY if options[name] not in (None, "report", [])]
        if labels and mode in WITHOUT_MODELS:
            given.append("APP[.MODEL]")
        if given:
            raise _trouble(f"{given[0]} does nothing together with {_flag(mode)}; leave it out.")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _read_plan(path: Path, connection: Connection) -> Plan:
    try:
        plan = load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise _trouble(f"Cannot read the plan {str(path)!r}: {reason}.") from error
    if plan.database != connection.database_name:
        raise _trouble(
            f"The plan is for the database {plan.database!r}, not {connection.database_name!r}; "
            f"name its connection with --database."
        )
    return plan


def _run_id(text: str) -> ObjectId:
    try:
        return ObjectId(text)
    except InvalidId:
        raise _trouble(f"{text!r} is no run; --history shows their ids.") from None


def _tell(connection: Connection, plan: Plan, run: ObjectId) -> None:
    from djongo_services.schema.signals import schema_synced

    schema_synced.send(Plan, using=connection.alias, plan=plan, run=run)


def _trouble(sentence: str) -> CommandError:
    return CommandError(sentence, returncode=ExitCode.TROUBLE)
