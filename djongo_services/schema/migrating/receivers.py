"""Receivers of Django's two signals before and after ``migrate``.

Django sends them once for each app. Ours act at the last one, after the receivers of other apps.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from django.apps import AppConfig, apps
from django.apps.registry import Apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import connections as databases
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from djongo_services.conf import settings
from djongo_services.connections import Connection, connections
from djongo_services.error_messages import describe_error
from djongo_services.exceptions import DjongoServicesError
from djongo_services.formatting import printable
from djongo_services.introspection.catalog import Validator
from djongo_services.lease import Locked
from djongo_services.schema.migrating.changing import MigrationPlan
from djongo_services.schema.migrating.running import MigrateRun
from djongo_services.schema.migrating.settling import Settled
from djongo_services.schema.migrating.syncing import sync_after_migrate
from djongo_services.schema.ownership import is_ours
from djongo_services.server_errors import DOCUMENT_REFUSED
from djongo_services.translation import any_of
from djongo_services.translation import gettext as _

logger = logging.getLogger("djongo_services.schema")

_runs: dict[tuple[int, str], list[MigrateRun]] = {}
"""Runs between the two signals, by thread and DATABASES alias."""


def before_migrate(
    sender: AppConfig,
    *,
    using: str,
    plan: MigrationPlan | None = None,
    apps: Apps | None = None,
    **kwargs: Any,
) -> None:
    """Receiver of ``pre_migrate``: relax our validators that the plan affects.

    Raises CommandError if that is impossible; nothing has been migrated then.
    """
    if plan is None or apps is None or not _is_last(sender):
        return
    key = (threading.get_ident(), using)
    _end(key)
    begun = _runs[key] = []
    for connection in _sharing(using):
        with _failing(connection, _("migrate did not start: %(reason)s")):
            run = MigrateRun(connection)
            begun.append(run)
            # The engine's schema editor keeps validators up to date itself; validators that an
            # earlier run has relaxed are restored all the same.
            names = run.relax(apps, () if _maintains(using) else plan)
        _tell(names, _("Relaxing validators: %(validators)s"), kwargs)
    if plan:
        _explain_refusals(using, begun)
    if _maintains(using):
        wrapper: Any = databases[using]
        options = {"verbosity": kwargs.get("verbosity", 1), "stdout": kwargs.get("stdout")}
        wrapper.SchemaEditorClass.migrate_begins(wrapper, **options)


def after_migrate(
    sender: AppConfig,
    *,
    using: str,
    plan: MigrationPlan | None = None,
    apps: Apps | None = None,
    **kwargs: Any,
) -> None:
    """Receiver of ``post_migrate``: restore validators, and sync if the settings ask for it.

    ``flush`` sends the signal too, without a plan: it changes no schema. Raises CommandError with
    the reason if a step fails.
    """
    if plan is None or apps is None or not _is_last(sender):
        return
    key = (threading.get_ident(), using)
    try:
        for run in _runs.get(key, ()):
            _settle(run, apps, kwargs)
        if _maintains(using):
            wrapper: Any = databases[using]
            wrapper.SchemaEditorClass.migrate_succeeded(wrapper)
    finally:
        _end(key)
    sync_after_migrate(using)


def end_runs() -> None:
    """Release the leases of runs of ``migrate`` that failed in this thread.

    Django sends no signal when a migration fails. But code that does something else in the same
    thread has left ``migrate``.
    """
    for key in [key for key in _runs if key[0] == threading.get_ident()]:
        _end(key)


@atexit.register
def _end_all() -> None:
    for key in list(_runs):
        _end(key)


def _end(key: tuple[int, str]) -> None:
    for run in _runs.pop(key, ()):
        run.end()
        wrapper: Any = databases[key[1]]
        if _maintains(key[1]):
            wrapper.SchemaEditorClass.migrate_ended(wrapper)
        vars(wrapper).pop("SchemaEditorClass", None)


def _is_last(sender: AppConfig) -> bool:
    with_models = [app for app in apps.get_app_configs() if app.models_module is not None]
    return bool(with_models) and sender.label == with_models[-1].label


def _maintains(using: str) -> bool:
    """Whether the schema editor of the alias updates validators itself."""
    wrapper: Any = databases[using]
    return bool(getattr(wrapper.SchemaEditorClass, "maintains_validators", False))


def _sharing(using: str) -> Iterator[Connection]:
    """The connection whose collections the alias's migrations change.

    Connections with a server of their own are left out: no migration changes their documents.
    """
    for alias, entry in settings.connections.items():
        if entry.database == using:
            yield connections[alias]
            return  # Others of the same alias are the same database.


def _settle(run: MigrateRun, registry: Apps, options: dict[str, Any]) -> None:
    with _failing(
        run.connection,
        _(
            "The migrations are applied, but the validators were not restored: %(reason)s Run "
            "migrate again."
        ),
    ):
        try:
            settled = run.settle(registry)
        except Locked as error:
            # It will restore relaxed validators, or has relaxed them itself.
            logger.warning("The validators of %r were left alone: %s", run.connection.alias, error)
            return
    text = _("Validators now as the models: %(validators)s")
    _tell([_words(one) for one in settled], text, options)
    for one in settled:
        if one.violators:
            _warn_of(one, run.connection)


def _words(one: Settled) -> str:
    if one.after is None:
        return _("%(collection)s (none)") % {"collection": one.collection}
    return f"{one.collection} ({one.after.level}, {one.after.action})"


def _warn_of(one: Settled, connection: Connection) -> None:
    violate = "document violates" if one.violators == 1 else "documents violate"
    logger.warning(
        "%s: %s %s the validator of the models; see syncmongoschema --database %s --violations 10.",
        one.collection,
        f"{one.violators:,}",
        violate,
        connection.alias,
    )


def _explain_refusals(using: str, runs: Sequence[MigrateRun]) -> None:
    in_force = {
        name: validator
        for run in runs
        for name, validator in run.validators.items()
        if name not in run.relaxed and not (_maintains(using) and is_ours(validator.query))
    }
    if in_force:
        wrapper: Any = databases[using]
        wrapper.SchemaEditorClass = explaining(wrapper.SchemaEditorClass, in_force)


@contextmanager
def _failing(connection: Connection, sentence: str) -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise CommandError(sentence % {"reason": describe_error(error, connection)}) from error
    except (DjongoServicesError, ImproperlyConfigured) as error:
        raise CommandError(sentence % {"reason": error}) from error


def _tell(what: Sequence[str], sentence: str, options: dict[str, Any]) -> None:
    if what and options.get("verbosity", 1) >= 1:
        stdout: Any = options.get("stdout", sys.stdout)
        stdout.write("  " + sentence % {"validators": ", ".join(map(printable, what))})


# Explaining a refusal by a validator that stays in force during a migration.
def explaining(editor: type[Any], validators: dict[str, Validator]) -> type[Any]:
    """The schema editor, which raises CommandError if one of the validators refuses a write.

    All changes of a migration happen inside the editor, and only the editor knows which collection
    it was: the server's error does not name it.
    """

    class ExplainingEditor(editor):  # type: ignore[misc]
        def __exit__(
            self,
            exc_type: type[BaseException] | None,
            exc: BaseException | None,
            traceback: TracebackType | None,
        ) -> Any:
            handled = super().__exit__(exc_type, exc, traceback)
            refusal = _refusal(exc)
            if refusal is not None:
                raise CommandError(_sentence(refusal, validators)) from exc
            return handled

    return ExplainingEditor


def _refusal(error: BaseException | None) -> OperationFailure | None:
    """The driver's error behind it, if a validator refused a document."""
    while error is not None:
        if isinstance(error, OperationFailure) and DOCUMENT_REFUSED in _codes(error):
            return error
        error = error.__cause__
    return None


def _codes(error: OperationFailure) -> Iterator[int | None]:
    yield error.code
    if isinstance(error, BulkWriteError):
        yield from (one.get("code") for one in (error.details or {}).get("writeErrors", ()))


def _sentence(refusal: OperationFailure, validators: dict[str, Validator]) -> str:
    names = [name for name in _written(refusal) if name in validators] or sorted(validators)
    if all(is_ours(validators[name].query) for name in names):
        text = _(
            "The validator of %(collections)s refuses a document of this migration, but its "
            "operations do not declare that they write there. Add a migration of that app to its "
            "dependencies and run migrate again."
        )
    else:
        text = _(
            "The validator of %(collections)s refuses a document of this migration. "
            "djongo_services did not write it, so it was left in force: change or remove it and "
            "run migrate again."
        )
    return text % {"collections": any_of(list(map(printable, names)))}


def _written(refusal: OperationFailure) -> Iterable[str]:
    """The collection whose method raised the error."""
    traceback = refusal.__traceback__
    found: str | None = None
    while traceback is not None:
        owner = traceback.tb_frame.f_locals.get("self")
        if isinstance(owner, Collection):
            found = owner.name
        traceback = traceback.tb_next
    return () if found is None else (found,)
