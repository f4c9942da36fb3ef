"""The paths of indexes in the words of the classes that were declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from djongo_services.introspection.modelling.declarations import (
    Call,
    ClassDeclaration,
    ClassReference,
    FieldDeclaration,
)

RELATIONS = frozenset({"models.ForeignKey", "models.OneToOneField"})
_EMBEDDING = frozenset({"EmbeddedModelField", "EmbeddedModelArrayField"})
_TYPES: Mapping[str, str] = {
    "ArrayField": "array",
    "BSONField": "object",
    "Decimal128Field": "decimal",
    "EmbeddedModelArrayField": "array",
    "EmbeddedModelField": "object",
    "ObjectIdAutoField": "objectId",
    "ObjectIdField": "objectId",
    "models.BigIntegerField": "long",
    "models.BinaryField": "binData",
    "models.BooleanField": "bool",
    "models.CharField": "string",
    "models.DateTimeField": "date",
    "models.FloatField": "double",
    "models.JSONField": "object",
    "models.SmallIntegerField": "int",
    "models.TextField": "string",
}
"""What the backend calls the column of a field (``DatabaseWrapper.data_types``, ``db_type``)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexField:
    """What stands at a path."""

    name: str
    """As the index classes take it: ``address.city``."""
    call: Call | None
    """What makes the field; None inside of values that have no class."""
    type: str | None
    """The BSON type that the backend takes its values for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexFields:
    """The fields of one class."""

    fields: Mapping[str, FieldDeclaration]
    """By the key that documents have, ``_id`` included."""
    embedded: Mapping[str, ClassDeclaration]
    """By name."""
    key_types: Mapping[str, str]
    """The BSON types of relations, by key."""

    def find(self, path: str) -> IndexField | None:
        """The field at a path of the documents; None where the classes have none."""
        first, *rest = path.split(".")
        found = self.fields.get(first)
        if found is None:
            return None
        names, call = [found.name], found.call
        inner: Call | None = call
        for part in rest:
            inner = _element(inner)
            if inner is None or inner.function not in _EMBEDDING:
                # What is inside has the names that the documents have.
                names.append(part)
                inner = None
                continue
            member = self._member(inner, part)
            if member is None:
                return None
            names.append(member.name)
            inner = member.call
        return IndexField(name=".".join(names), call=inner, type=self._type(first, inner))

    def _member(self, embedding: Call, key: str) -> FieldDeclaration | None:
        (reference, *_) = embedding.args
        assert isinstance(reference, ClassReference)
        fields = self.embedded[reference.name].fields
        return next((found for found in fields if _column(found) == key), None)

    def _type(self, key: str, call: Call | None) -> str | None:
        if call is None:
            return None
        return self.key_types.get(key) if call.function in RELATIONS else _TYPES.get(call.function)


def _element(call: Call | None) -> Call | None:
    """What the arrays of an ArrayField hold; paths go through arrays without saying so."""
    while call is not None and call.function == "ArrayField":
        element = call.args[0]
        call = element if isinstance(element, Call) else None
    return call


def _column(declaration: FieldDeclaration) -> str:
    if declaration.call.function == "ObjectIdAutoField":
        return "_id"
    column = dict(declaration.call.kwargs).get("db_column", declaration.name)
    assert isinstance(column, str)
    return column
