"""Embedded documents as EmbeddedModel classes, and every other value as a field.

Identical shapes share one class. An object gets no class if the backend could not write it back:
with an empty key (``db_column`` cannot be empty) or a null ``_id`` (the backend omits it).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from django.utils.html import escape

from djongo_services.introspection.modelling import facts, types
from djongo_services.introspection.modelling.declarations import (
    Call,
    ClassDeclaration,
    ClassReference,
    FieldDeclaration,
    Module,
    Value,
)
from djongo_services.introspection.modelling.naming import (
    LOOKUPS,
    RESERVED_FIELDS,
    Namespace,
    class_name,
    field_name,
    singular,
)
from djongo_services.introspection.modelling.source import render_source
from djongo_services.introspection.modelling.stated import (
    UNDECLARED,
    DeclaredCollection,
    StatedField,
)
from djongo_services.introspection.path import ELEMENT
from djongo_services.introspection.report import Field

MOST_ORIGINS = 5
"""The maximum number of places in the comment above a class."""
MOST_STEPS = 5
"""Deeper parts are one value: deeper nested classes or arrays are unreadable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The place of a field."""

    collection: str
    owner: str
    """The class that contains it; its name is used for classes whose own name is taken."""
    counted: bool
    """Whether counts are exact, so that a field that was never missing in them never is: inside an
    embedded document this determines what a missing field becomes."""
    declared: DeclaredCollection = UNDECLARED
    """What is known without reading the values."""


@dataclass(kw_only=True)
class EmbeddedClasses:
    """The classes created so far, inner ones first."""

    names: Namespace
    _classes: dict[str, ClassDeclaration] = field(default_factory=dict)
    """Classes by the text of the body, so that equal shapes share one."""
    _origins: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def value_field(self, found: Field, place: Place) -> FieldDeclaration:
        """A field for the values at ``found``, without its name."""
        call, comments = self._value(found, place)
        return FieldDeclaration(name="", call=call, comments=comments)

    def declarations(self) -> tuple[ClassDeclaration, ...]:
        return tuple(
            replace(declaration, comments=(_told(self._origins[declaration.name]),))
            for declaration in self._classes.values()
        )

    def _value(self, found: Field, place: Place) -> tuple[Call, tuple[str, ...]]:
        if declared := place.declared.fields.get(found.path):
            return declared, ()
        if scalar := types.backend_scalar(found):
            told = types.remarks(found, counted=place.counted)
            return scalar, (*told, *types.guesses(found, scalar))
        kinds = facts.kinds(found)
        if len(found.path) > MOST_STEPS:
            return _any_value(found)
        if kinds == {"array"}:
            return self._array(found, place)
        if kinds == {"object"} and not facts.is_map(found):
            name = self._class_for(found, place)
            if name is not None:
                call = Call(function="EmbeddedModelField", args=(ClassReference(name=name),))
                return call, ()
        return _any_value(found)

    def _array(self, found: Field, place: Place) -> tuple[Call, tuple[str, ...]]:
        element = facts.element(found)
        if element is None:
            item = Call(function="BSONField", kwargs=(("null", True), ("blank", True)))
            return Call(function="ArrayField", args=(item,)), ()
        if self._is_one_value(element, place):
            call, comments = _any_value(element)
        else:
            call, comments = self._value(element, place)
        if call.function == "EmbeddedModelField":
            return Call(function="EmbeddedModelArrayField", args=call.args), comments
        options = emptiness(call, element, null="null" in element.types, counted=place.counted)
        return Call(function="ArrayField", args=(call.having(**options),)), comments

    def _is_one_value(self, element: Field, place: Place) -> bool:
        """Whether the backend has no field for such elements, except one that accepts anything."""
        kinds = facts.kinds(element)
        if element.path in place.declared.classes:
            return False
        if kinds == {"object"}:
            return "null" in element.types
        uneven = kinds == {"array"} and not facts.is_even(element, counted=place.counted)
        return uneven or _holds_objects_in_arrays(element)

    def _class_for(self, found: Field, place: Place) -> str | None:
        """The name of the class for the objects at ``found``; None if there can be none."""
        members = facts.members(found)
        if not members or not all(_expressible(member) for member in members):
            return None
        key = _nearest_key(found)
        in_array = found.path[-1] is ELEMENT
        declared = place.declared.classes.get(found.path)
        base = declared or class_name((singular(key) if in_array else key) or place.owner)
        inside = replace(place, owner=base)
        body = ClassDeclaration(name="", base="EmbeddedModel", fields=self._fields(members, inside))
        # Shapes that were declared as different classes stay separate.
        text = render_source(Module(header=(declared or "",), classes=(body,)))
        if text not in self._classes:
            # If two shapes have the same key, the second one is named after the class that contains
            # it.
            wanted = base if base not in self.names else f"{place.owner}{base}"
            name = self.names.claim(class_name(wanted), numbered="{}{}")
            self._classes[text] = replace(body, name=name)
            self._origins[name] = []
        name = self._classes[text].name
        self._origins[name].append((place.collection, found.name))
        return name

    def _fields(self, members: tuple[Field, ...], place: Place) -> tuple[FieldDeclaration, ...]:
        names = field_names([facts.key(member) for member in members if not _is_id(member)])
        key = next((member for member in members if _is_id(member)), None)
        declarations = [FieldDeclaration(name="id", call=_embedded_key(key))]
        for member in members:
            if not _is_id(member):
                made = self.value_field(member, place)
                name = names[facts.key(member)]
                null = facts.nullable(member) or not place.counted
                call = with_options(made.call, member, name, null=null, counted=place.counted)
                told = (*made.comments, *demands(member))
                declarations.append(replace(made, name=name, call=call, comments=told))
        return tuple(declarations)


def _told(origins: list[tuple[str, str]]) -> str:
    """``orders: from, to; people: address and 3 more.``"""
    paths: dict[str, list[str]] = {}
    for collection, path in origins[:MOST_ORIGINS]:
        paths.setdefault(collection, []).append(path)
    text = "; ".join(f"{collection}: {', '.join(each)}" for collection, each in paths.items())
    rest = len(origins) - MOST_ORIGINS
    return f"{text} and {rest} more." if rest > 0 else f"{text}."


def field_names(keys: list[str], *, taken: Namespace | None = None) -> dict[str, str]:
    """A unique field name for each key; keys that are valid names keep them."""
    namespace = taken or Namespace(RESERVED_FIELDS | LOOKUPS)
    ordered = sorted(keys, key=lambda key: field_name(key) != key)
    return {key: namespace.claim(field_name(key)) for key in ordered}


def with_options(call: Call, found: Field, name: str, *, null: bool, counted: bool) -> Call:
    """The call with ``null``, ``blank`` and ``db_column`` as the data and the name require them."""
    options = emptiness(call, found, null=null, counted=counted)
    if facts.key(found) != name:
        options["db_column"] = facts.key(found)
    if isinstance(found, StatedField) and found.description:
        # Forms show it as HTML, unescaped.
        options["help_text"] = escape(found.description)
    return call.having(**options)


def demands(found: Field) -> tuple[str, ...]:
    """What a collection's schema requires of a field but its options do not express."""
    if not isinstance(found, StatedField):
        return ()
    told = [f"The validator also says {', '.join(found.rest)}."] if found.rest else []
    if facts.nullable(found) and not found.takes_null:
        told.append("The validator refuses null, which Django saves where this is not set.")
    return tuple(told)


def emptiness(call: Call, found: Field, *, null: bool, counted: bool) -> dict[str, Value]:
    """``null`` and ``blank``, so that every empty value that the data may have is valid."""
    options: dict[str, Value] = {}
    if null:
        options["null"] = True
    # An embedded document without any values is still an instance; a key is a key.
    never = call.function in {"EmbeddedModelField", "models.ForeignKey", "models.OneToOneField"}
    empty = not never and facts.may_be_empty(found, counted=counted)
    if null or empty or call.function == "models.BinaryField":
        options["blank"] = True
    return options


def _any_value(found: Field) -> tuple[Call, tuple[str, ...]]:
    """A field for values without a class of their own, and a comment that describes them."""
    kinds = facts.kinds(found)
    if facts.is_map(found) and found.map is not None:
        comment = f"A map; its keys: {found.map.format}."
    else:
        comment = f"{facts.described(found)}."
    if kinds & {"object", "array"} and facts.json_safe(found):
        return Call(function="models.JSONField"), (comment,)
    return Call(function="BSONField"), (comment,)


def _embedded_key(found: Field | None) -> Call:
    """An ``_id`` in embedded documents; if it is unset, the backend omits it."""
    if found is None or facts.kinds(found) == {"objectId"}:
        return Call(function="ObjectIdAutoField", kwargs=(("primary_key", True),))
    call = Call(function="BSONField", kwargs=(("primary_key", True), ("db_column", "_id")))
    return call.having(blank=True) if found.missing else call


def _expressible(member: Field) -> bool:
    return bool(facts.key(member)) and not (_is_id(member) and "null" in member.types)


def _holds_objects_in_arrays(element: Field) -> bool:
    """Whether arrays in an array contain objects, for which the backend finds no class."""
    inner = facts.element(element)
    return facts.kinds(element) == {"array"} and inner is not None and "object" in inner.types


def _is_id(member: Field) -> bool:
    return facts.key(member) == "_id"


def _nearest_key(found: Field) -> str:
    """The last name on the path to an object: ``grades`` for ``grades[]``."""
    return next((step for step in reversed(found.path) if isinstance(step, str)), "")
