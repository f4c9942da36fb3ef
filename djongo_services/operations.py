"""Operations for migrations, in addition to those of Django.

>>> from djongo_services.operations import ConvertField
>>> operations = [ConvertField("loan", "days", models.IntegerField(null=True), misfits="keep")]
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, get_args

from django.db.migrations import AlterField

Misfits = Literal["refuse", "keep", "null"]
"""What to do with values that the new field cannot have: see :class:`ConvertField`."""

MISFITS = "djongo_services_misfits"
"""The collection that keeps such values."""


class ConvertField(AlterField):
    """``AlterField`` with an option for values that the new field cannot have.

    With ``misfits="refuse"``, as in AlterField, the first ten are listed and nothing changes. With
    ``"keep"``, null replaces them, or the field's default if it may not be null, and they are kept
    in the collection ``djongo_services_misfits``; ``"null"`` does the same without keeping them.
    Their number is logged. Backwards it does the same for the old field.

    Use it instead of an AlterField of ``makemigrations``. On other engines than
    ``djongo_services.backend`` it is an AlterField.
    """

    def __init__(
        self,
        model_name: str,
        name: str,
        field: Any,
        preserve_default: bool = True,
        *,
        misfits: Misfits = "refuse",
    ) -> None:
        if misfits not in get_args(Misfits):
            known = ", ".join(map(repr, get_args(Misfits)))
            raise ValueError(f"misfits must be one of {known}, not {misfits!r}.")
        self.misfits = misfits
        super().__init__(model_name, name, field, preserve_default)

    def deconstruct(self) -> Any:
        name, arguments, options = super().deconstruct()
        return name, arguments, {**options, "misfits": self.misfits}

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        handling = getattr(schema_editor, "handling_misfits", None)
        within: AbstractContextManager[Any] = handling(self.misfits) if handling else nullcontext()
        with within:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        done = {"keep": "are kept aside", "null": "become null"}.get(self.misfits, "are refused")
        return f"{super().describe()}; values that do not fit {done}"
