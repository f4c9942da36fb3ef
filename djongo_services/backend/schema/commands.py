"""How the schema editor sends commands: outside of transactions, recorded, or as text."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar, cast

from django.db.transaction import TransactionManagementError
from django_mongodb_backend.schema import DatabaseSchemaEditor as BackendEditor
from pymongo.operations import IndexModel, SearchIndexModel

from djongo_services.backend.errors import named_errors
from djongo_services.backend.schema.batches import update_in_batches
from djongo_services.backend.schema.journal import MigrationJournal, forget_ended
from djongo_services.backend.schema.shell import command_text, update_text
from djongo_services.formatting import printable
from djongo_services.transaction import clients, current, state

logger = logging.getLogger("django.db.backends.schema")

Document = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])

_DROP = re.compile(r"DROP TABLE \"?([^\"]+)\"?;?")
_TOLD_EVERY = 100_000
"""The number of documents between two lines of progress."""


def operation(method: Method) -> Method:
    """Mark a method of the editor that migrations call.

    The outermost of several runs outside of the transaction that Django opens around each operation
    of a migration, raises Django's errors, and is recorded while ``migrate`` runs.
    """

    @wraps(method)
    def run(editor: CommandEditor, *args: Any, **kwargs: Any) -> Any:
        if editor.inside:
            return method(editor, *args, **kwargs)
        with editor.outermost(), current.apart(), named_errors():
            return editor.written_down(method, *args, **kwargs)

    return cast(Method, run)


class CommandEditor(BackendEditor):  # type: ignore[misc]  # the backend has no types
    """The backend's editor, with all commands sent from here."""

    sql_delete_table = "DROP TABLE %(table)s"
    connection: Any
    collect_sql: bool
    collected_sql: list[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.inside = False
        self.resumed = False
        """Whether an earlier run began the operation."""
        self._journal: MigrationJournal | None = None

    # What ``migrate`` reports before its first operation and after its last.

    @classmethod
    def migrate_begins(cls, connection: Any, *, verbosity: int, stdout: Any) -> None:
        connection.__dict__["_migrate_output"] = MigrateOutput(verbosity, stdout)

    @classmethod
    def migrate_succeeded(cls, connection: Any) -> None:
        with current.apart(), named_errors():
            forget_ended(connection.database)

    @classmethod
    def migrate_ended(cls, connection: Any) -> None:
        connection.__dict__.pop("_migrate_output", None)

    @property
    def output(self) -> MigrateOutput | None:
        found: MigrateOutput | None = self.connection.__dict__.get("_migrate_output")
        return found

    @contextmanager
    def outermost(self) -> Iterator[None]:
        self.inside = True
        try:
            yield
        finally:
            self.inside, self.resumed = False, False

    def written_down(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self.output is None or self.collect_sql:
            return method(self, *args, **kwargs)
        if self._journal is None:
            self._journal = MigrationJournal(self.connection.database)
        name = _name(method, args)
        if self._journal.was_done(name) and self._is_there(method, args):
            self._journal.pass_over(name)
            return None
        self.resumed = self._journal.begin(name)
        result = method(self, *args, **kwargs)
        self._journal.end(name)
        return result

    def _is_there(self, method: Callable[..., Any], args: tuple[Any, ...]) -> bool:
        """Whether a collection that an earlier run created still exists."""
        if method.__name__ != "create_model":
            return True
        return self.exists(args[0]._meta.db_table)

    def noted(self, name: str, value: Document) -> Document:
        """The value, or the one that was recorded under the name before the operation was
        interrupted."""
        return value if self._journal is None else self._journal.noted(name, value)

    # Commands.

    def ready(self) -> None:
        """Raise TransactionManagementError if a command could wait for its own transaction."""
        transaction = state.innermost(self.connection.key)
        session = None if transaction is None else transaction.session
        if session is not None and session.in_transaction and not clients.nothing_sent(session):
            raise TransactionManagementError(
                "The schema cannot be changed in a transaction that has written or read already, "
                "because MongoDB changes it outside and would wait for the transaction; end the "
                "atomic block first."
            )

    def run(self, command: Document) -> None:
        if self.collect_sql:
            self.collected_sql.append(command_text(command))
            return
        self.ready()
        with self._logged(command_text(command)):
            self.connection.database.command(command)

    @contextmanager
    def _logged(self, text: str) -> Iterator[None]:
        """Log a command as Django logs changes of a schema."""
        logger.debug("%s", text)
        began = time.monotonic()
        try:
            yield
        finally:
            if self.connection.queries_logged:
                took = f"{time.monotonic() - began:.3f}"
                self.connection.queries_log.append({"sql": text, "time": took})

    def execute(self, sql: Any, params: Any = ()) -> None:
        """Drop a table, which is the only SQL that Django itself sends through an editor."""
        dropped = _DROP.fullmatch(str(sql))
        if dropped is None:
            super().execute(sql, params)
            return
        with current.apart(), named_errors():
            self.run({"drop": dropped[1]})

    def update(
        self, table: str, query: Mapping[str, Any], update: Any, *, bypass: bool = True
    ) -> None:
        """Update all matching documents of a collection in batches."""
        if self.collect_sql:
            self.collected_sql.append(update_text(table, query, update))
            return
        self.ready()
        output = self.output
        collection = self.connection.database[table]
        total = collection.estimated_document_count() if output is not None else 0
        with self._logged(update_text(table, query, update)):
            changed = update_in_batches(
                collection,
                query,
                update,
                bypass=bypass,
                progress=None if output is None else output.of(table, total),
            )
        if output is not None:
            output.tell(f"{printable(table)}: {changed:,} documents changed")

    def exists(self, table: str) -> bool:
        return bool(self.connection.database.list_collection_names(filter={"name": table}))

    def get_collection(self, name: str) -> Any:
        if self.collect_sql:
            return _CollectedCollection(name, self.collected_sql)
        self.ready()
        return super().get_collection(name)

    def get_database(self) -> Any:
        self.ready()
        return super().get_database()


class MigrateOutput:
    """The messages of ``migrate -v 2``."""

    def __init__(self, verbosity: int, stdout: Any) -> None:
        self._verbosity = verbosity
        self._stdout = stdout

    def tell(self, words: str) -> None:
        if self._verbosity >= 2 and self._stdout is not None:
            self._stdout.write(f"    {words}")

    def of(self, table: str, total: int) -> Callable[[int], None]:
        told = 0

        def progress(passed: int) -> None:
            nonlocal told
            if passed - told >= _TOLD_EVERY:
                told = passed
                self.tell(f"{printable(table)}: {passed:,} of about {total:,} documents")

        return progress


class _CollectedCollection:
    """A stand-in for a collection whose commands are printed."""

    def __init__(self, name: str, collected: list[str]) -> None:
        self.name = name
        self._collected = collected

    def create_indexes(self, indexes: list[IndexModel], **kwargs: Any) -> None:
        documents = [dict(index.document) for index in indexes]
        self._add({"createIndexes": self.name, "indexes": documents})

    def drop_index(self, name: str, **kwargs: Any) -> None:
        self._add({"dropIndexes": self.name, "index": name})

    def create_search_index(self, index: SearchIndexModel, **kwargs: Any) -> None:
        self._add({"createSearchIndexes": self.name, "indexes": [dict(index.document)]})

    def drop_search_index(self, name: str, **kwargs: Any) -> None:
        self._add({"dropSearchIndex": self.name, "name": name})

    def list_search_indexes(self) -> list[Document]:
        return []

    def drop(self) -> None:
        self._add({"drop": self.name})

    def _add(self, command: Document) -> None:
        self._collected.append(command_text(command))


def _name(method: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """The name of an operation, which is the same in each process."""
    return " ".join([method.__name__, *(word for one in args if (word := _word(one)))])


def _word(argument: Any) -> str:
    meta = getattr(argument, "_meta", None)
    if meta is not None:
        return str(meta.db_table or meta.label)
    if hasattr(argument, "get_internal_type"):
        kind = argument.get_internal_type()
        name = argument.column or argument.name
        flags = (argument.null, argument.unique, argument.db_index, argument.max_length)
        return f"{name}:{kind}{flags}"
    if (name := getattr(argument, "name", None)) is not None:
        return str(name)
    if isinstance(argument, set | frozenset | list | tuple):
        return repr(sorted(map(str, argument)))
    return argument if isinstance(argument, str) else ""
