"""The indexes that the backend's own ``migrate`` would create, recorded from its schema editor.

This is the only place that knows how django-mongodb-backend creates indexes: the editor of the
installed release (5.2 or 6.x) works as always, but on a collection that records its calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import NotSupportedError
from django.db.models import Model
from pymongo import IndexModel

from djongo_services.schema.spec import Problem


class _Recorder:
    """A stand-in for a collection."""

    def __init__(self) -> None:
        self.indexes: list[Mapping[str, Any]] = []

    def create_indexes(self, indexes: list[IndexModel], **kwargs: Any) -> None:
        self.indexes += [index.document for index in indexes]


def record_indexes(
    model: type[Model], connection: Any
) -> tuple[list[Mapping[str, Any]], list[Problem]]:
    """Documents in the form of ``createIndexes``, and what the backend cannot create.

    Search and vector search indexes belong to Atlas and are left out. No server is queried. Models
    that are not managed yield nothing.
    """
    editor = _editor(model, connection)
    editor._create_model_indexes(model)
    return editor.recorder.indexes, editor.problems


def _editor(model: type[Model], connection: Any) -> Any:
    class RecordingEditor(connection.SchemaEditorClass):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(connection, atomic=False)
            self.recorder = _Recorder()
            self.problems: list[Problem] = []

        def get_collection(self, name: str) -> _Recorder:
            return self.recorder

        def add_index(self, on: type[Model], index: Any, *args: Any, **kwargs: Any) -> None:
            if not hasattr(index, "search_index_data_types"):
                self._attempt(super().add_index, index, on, index, *args, **kwargs)

        def add_constraint(self, on: type[Model], constraint: Any, *args: Any, **kw: Any) -> None:
            self._attempt(super().add_constraint, constraint, on, constraint, *args, **kw)

        def _attempt(self, add: Any, what: Any, *args: Any, **kwargs: Any) -> None:
            try:
                add(*args, **kwargs)
            except (NotSupportedError, FieldDoesNotExist) as error:
                self.problems.append(_refused(model, what.name, str(error)))

    return RecordingEditor()


def _refused(model: type[Model], name: str, said: str) -> Problem:
    return Problem(
        subject=f"{model._meta.label}: {name}",
        reason=f"It is not created: {said.rstrip('.')}.",
    )
