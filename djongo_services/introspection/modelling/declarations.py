"""The content of a generated module, as values: no text, no Django, no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Value: TypeAlias = (
    "bool | int | str | Call | ClassReference | Dictionary | tuple[Value, ...] | list[Value] | None"
)
"""The types of arguments. Nothing else is ever written, so data cannot become code."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """``function(*args, **kwargs)``; the function is one of :data:`~.source.FUNCTIONS`."""

    function: str
    args: tuple[Value, ...] = ()
    kwargs: tuple[tuple[str, Value], ...] = ()

    def having(self, **kwargs: Value) -> Call:
        """The same call with these keyword arguments after the existing ones."""
        return Call(function=self.function, args=self.args, kwargs=(*self.kwargs, *kwargs.items()))


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassReference:
    """A class of the same module, declared earlier."""

    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Dictionary:
    """``{"key": value}``."""

    items: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldDeclaration:
    name: str
    call: Call
    comments: tuple[str, ...] = ()
    """Lines above it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassDeclaration:
    name: str
    base: str
    """``models.Model`` or ``EmbeddedModel``."""
    comments: tuple[str, ...] = ()
    """Lines above it."""
    decorators: tuple[Call, ...] = ()
    fields: tuple[FieldDeclaration, ...] = ()
    remarks: tuple[str, ...] = ()
    """Comment lines below the fields, about what cannot be expressed as a field."""
    db_table: str | None = None
    verbose_name_plural: str | None = None
    """The plural, if Django's own guess is wrong."""
    text: FieldDeclaration | None = None
    """The field that ``__str__`` shows."""
    indexes: tuple[Call, ...] = ()
    constraints: tuple[Call, ...] = ()
    index_remarks: tuple[str, ...] = ()
    """Comment lines in ``Meta``, about indexes that cannot be expressed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    header: tuple[str, ...]
    """Paragraphs of the module's docstring."""
    classes: tuple[ClassDeclaration, ...]
