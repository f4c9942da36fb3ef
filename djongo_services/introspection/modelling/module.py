"""A report as the declarations of a module of models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from djongo_services.introspection.modelling import facts, naming, relations, types
from djongo_services.introspection.modelling.declarations import (
    ClassDeclaration,
    FieldDeclaration,
    Module,
)
from djongo_services.introspection.modelling.embedded import (
    EmbeddedClasses,
    Place,
    field_names,
    with_options,
)
from djongo_services.introspection.modelling.header import about, header
from djongo_services.introspection.modelling.index_fields import RELATIONS, IndexFields
from djongo_services.introspection.modelling.indexes import (
    declare_indexes,
    declare_plain_indexes,
    refuses_second_null,
    with_index,
)
from djongo_services.introspection.modelling.naming import (
    RESERVED_FIELDS,
    Namespace,
    class_name,
)
from djongo_services.introspection.modelling.relations import Target
from djongo_services.introspection.modelling.source import IMPORTED_NAMES
from djongo_services.introspection.report import CollectionReport, Field, Report, TypeCount

Style: TypeAlias = Literal["backend", "plain"]


def build_module(report: Report, *, style: Style) -> Module:
    """One class for each collection, the embedded classes that they need before them."""
    builder = _Builder(report=report, style=style)
    classes = [builder.collection_class(each) for each in report.collections]
    return Module(
        header=header(report, style=style),
        classes=(*builder.embedded.declarations(), *classes),
    )


@dataclass(kw_only=True)
class _Builder:
    report: Report
    style: Style
    embedded: EmbeddedClasses = field(init=False)
    _class_names: Mapping[str, str] = field(init=False)
    _field_names: Mapping[str, Mapping[str, str]] = field(init=False)
    _targets: dict[str, Target] = field(init=False)
    _accessors: dict[str, Namespace] = field(init=False)
    _index_names: Namespace = field(init=False)

    def __post_init__(self) -> None:
        # Django knows models by their names in lower case.
        names = Namespace(IMPORTED_NAMES - {"models"}, ignore_case=True)
        self._class_names = {
            each.collection.name: names.claim(class_name(each.collection.name), numbered="{}{}")
            for each in self.report.collections
        }
        self.embedded = EmbeddedClasses(names=names)
        self._targets = dict(self._find_targets())
        self._field_names = {
            each.collection.name: self._names_of(each) for each in self.report.collections
        }
        self._accessors = {
            name: Namespace({*RESERVED_FIELDS, *of.values(), *(f"{n}_id" for n in of.values())})
            for name, of in self._field_names.items()
        }
        self._index_names = Namespace(ignore_case=True)

    def collection_class(self, report: CollectionReport) -> ClassDeclaration:
        collection = report.collection
        key, fields = self._key(report), list(self._fields(report))
        declare = declare_indexes if self.style == "backend" else declare_plain_indexes
        found = declare(collection, self._index_fields(report, key, fields), self._index_names)
        return ClassDeclaration(
            name=self._class_names[collection.name],
            base="models.Model",
            comments=about(report),
            fields=(
                key,
                *(with_index(each, found.options.get(each.name)) for each in fields),
            ),
            remarks=tuple(self._left_out(report)),
            db_table=collection.name,
            indexes=found.indexes,
            constraints=found.constraints,
            index_remarks=found.remarks,
        )

    def _index_fields(
        self, report: CollectionReport, key: FieldDeclaration, fields: list[FieldDeclaration]
    ) -> IndexFields:
        by_name = {found.name: found for found in fields}
        names = self._field_names[report.collection.name]
        declared = {key: by_name[name] for key, name in names.items()}
        return IndexFields(
            fields={**declared, "_id": key},
            embedded={found.name: found for found in self.embedded.declarations()},
            key_types={
                facts.key(found): next(iter(facts.kinds(found)))
                for found in self._modelled(report)
                if declared[facts.key(found)].call.function in RELATIONS
            },
        )

    def _find_targets(self) -> Iterator[tuple[str, Target]]:
        for each in self.report.collections:
            key = _key_of(each)
            if key is not None and not key.null:
                name = each.collection.name
                yield name, Target(class_name=self._class_names[name], key=key)

    def _names_of(self, report: CollectionReport) -> Mapping[str, str]:
        """Key to field name; a relation claims the name of its column as well."""
        namespace = Namespace(RESERVED_FIELDS)
        related: dict[str, str] = {}
        plain_keys = []
        for found in self._modelled(report):
            key = facts.key(found)
            if relations.relation(report, found, self._targets):
                related[key] = relations.relation_name(naming.field_name(key))
            else:
                plain_keys.append(key)
        names = field_names(plain_keys, taken=namespace)
        for key, name in related.items():
            free = name not in namespace and f"{name}_id" not in namespace
            wanted = name if free else naming.field_name(key)
            names[key] = namespace.claim(wanted, companions=("{}_id",))
        return names

    def _modelled(self, report: CollectionReport) -> Iterator[Field]:
        """The fields of the class besides its key."""
        for found in report.profile.fields if report.profile else ():
            if facts.key(found) != "_id" and self._obstacle(found) is None:
                yield found

    def _obstacle(self, found: Field) -> str | None:
        """Why the ORM must not touch the field; None if it may."""
        key = facts.key(found)
        if not key:
            return "its name is empty"
        if self.style == "plain":
            return None
        if "." in key or key.startswith("$"):
            return "the backend would take its name for a path or an operator"
        if unwritable := facts.unwritable(found):
            return f"PyMongo cannot write {' and '.join(unwritable)}"
        return None

    def _key(self, report: CollectionReport) -> FieldDeclaration:
        found = _key_of(report)
        if found is None:
            found = Field(
                path=("_id",), parents=0, types={"objectId": TypeCount(count=0, probability=0.0)}
            )
        call = types.backend_key(found) if self.style == "backend" else types.plain_key(found)
        comments = [f"{facts.described(found)}."] if call.function == "BSONField" else []
        if found.null:
            comments.append("A document has null here: Django cannot save it.")
        return FieldDeclaration(name="id", call=call, comments=tuple(comments))

    def _fields(self, report: CollectionReport) -> Iterator[FieldDeclaration]:
        for found in self._modelled(report):
            yield self._relation(report, found) or self._value(report, found)

    def _relation(self, report: CollectionReport, found: Field) -> FieldDeclaration | None:
        related = relations.relation(report, found, self._targets)
        if related is None:
            return None
        reference, target = related
        name = self._field_names[report.collection.name][facts.key(found)]
        nulls_too = refuses_second_null(report.collection, facts.key(found))
        if self.style == "backend" and nulls_too:
            # A OneToOneField has an index of its own, which lets nulls through.
            reference = replace(reference, unique=False)
        call = relations.relation_call(
            reference,
            target,
            related_name=relations.related_name(
                self._class_names[report.collection.name],
                name,
                unique=reference.unique,
                accessors=self._accessors[reference.target],
            ),
            plain=self.style == "plain",
        )
        call = with_options(call, found, f"{name}_id", null=facts.nullable(found))
        return FieldDeclaration(name=name, call=call, comments=relations.dangling(reference))

    def _value(self, report: CollectionReport, found: Field) -> FieldDeclaration:
        collection = report.collection.name
        name = self._field_names[collection][facts.key(found)]
        if self.style == "backend":
            counted = report.profile is not None and facts.counted(report.profile.coverage)
            made = self.embedded.value_field(
                found,
                Place(collection=collection, owner=self._class_names[collection], counted=counted),
            )
        else:
            made = FieldDeclaration(name=name, call=types.plain(found), comments=_parts(found))
        return replace(
            made,
            name=name,
            call=with_options(made.call, found, name, null=facts.nullable(found)),
            comments=(*made.comments, *relations.remarks(report, found)),
        )

    def _left_out(self, report: CollectionReport) -> Iterator[str]:
        if report.profile is None:
            yield "The documents were not read."
            return
        for found in report.profile.fields:
            obstacle = self._obstacle(found)
            if obstacle is not None and facts.key(found) != "_id":
                told = f"{found.name} ({facts.described(found)})"
                yield f"Left out and left alone: {told}: {obstacle}."


def _key_of(report: CollectionReport) -> Field | None:
    fields = report.profile.fields if report.profile else ()
    return next((found for found in fields if facts.key(found) == "_id"), None)


def _parts(found: Field) -> tuple[str, ...]:
    """What a field of the plain style stands for, where its class does not tell."""
    kinds = facts.kinds(found)
    element = facts.element(found)
    if kinds == {"array"} and element is not None:
        return (f"array of {facts.described(element)}.",)
    told = {"string", "int", "long", "double", "decimal", "bool", "date", "binData"}
    if len(kinds) == 1 and kinds <= told:
        return ()
    return (f"{facts.described(found)}.",)
