"""A report as the declarations of a module of models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from django.utils.text import camel_case_to_spaces

from djongo_services.introspection.modelling import facts, naming, relations, types
from djongo_services.introspection.modelling.declarations import (
    ClassDeclaration,
    FieldDeclaration,
    Module,
)
from djongo_services.introspection.modelling.embedded import (
    EmbeddedClasses,
    Place,
    demands,
    field_names,
    with_options,
)
from djongo_services.introspection.modelling.header import about, header
from djongo_services.introspection.modelling.index_fields import RELATIONS, IndexFields
from djongo_services.introspection.modelling.indexes import (
    collection_options,
    declare_indexes,
    identifies,
    refuses_second_null,
    with_index,
    with_time,
)
from djongo_services.introspection.modelling.naming import (
    RESERVED_FIELDS,
    Namespace,
    class_name,
    plural,
    singular,
)
from djongo_services.introspection.modelling.relations import Target, Targets
from djongo_services.introspection.modelling.source import IMPORTED_NAMES
from djongo_services.introspection.modelling.stated import (
    UNDECLARED,
    DeclaredCollection,
    stated_fields,
)
from djongo_services.introspection.report import (
    CollectionReport,
    Field,
    Reference,
    Report,
    TypeCount,
)

NAMING = (
    "name",
    "title",
    "full_name",
    "display_name",
    "label",
    "username",
    "slug",
    "subject",
    "code",
)
"""Fields by which people recognise documents, the best ones first."""

Style: TypeAlias = Literal["backend", "plain"]


def build_module(
    report: Report,
    *,
    style: Style,
    declared: Mapping[str, DeclaredCollection],
    generator: str,
) -> Module:
    """One class for each collection, preceded by the embedded classes that it needs."""
    builder = _Builder(report=report, style=style, declared=declared)
    classes = [builder.collection_class(each) for each in report.collections]
    return Module(
        header=header(report, style=style, declared=declared, generator=generator),
        classes=(*builder.embedded.declarations(), *classes),
    )


@dataclass(kw_only=True)
class _Builder:
    report: Report
    style: Style
    declared: Mapping[str, DeclaredCollection]
    embedded: EmbeddedClasses = field(init=False)
    _class_names: Mapping[str, str] = field(init=False)
    _field_names: Mapping[str, Mapping[str, str]] = field(init=False)
    _targets: Targets = field(init=False)
    _accessors: dict[str, Namespace] = field(init=False)
    _index_names: Namespace = field(init=False)

    def __post_init__(self) -> None:
        # Django identifies models by their names in lower case.
        names = Namespace(IMPORTED_NAMES - {"models"}, ignore_case=True)
        self._class_names = _class_names(self.report, names)
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
        declared = self._declared(report)
        key, *fields = self._key_and_fields(report)
        indexed = self._index_fields(report, key, fields)
        found = declare_indexes(
            collection, indexed, self._index_names, keep_names=declared is not UNDECLARED
        )
        return ClassDeclaration(
            name=self._class_names[collection.name],
            base="models.Model",
            comments=about(report, declared=declared is not UNDECLARED),
            decorators=tuple(collection_options(collection, indexed)),
            fields=(
                key,
                *(with_index(each, found.options.get(each.name)) for each in fields),
            ),
            remarks=tuple(self._left_out(report)),
            db_table=collection.name,
            verbose_name_plural=_plural(self._class_names[collection.name]),
            text=_shown(fields),
            indexes=found.indexes,
            constraints=found.constraints,
            index_remarks=(*found.remarks, *declared.remarks),
        )

    def _index_fields(
        self, report: CollectionReport, key: FieldDeclaration, fields: list[FieldDeclaration]
    ) -> IndexFields:
        by_name = {found.name: found for found in [key, *fields]}
        names = self._field_names[report.collection.name]
        declared = {column: by_name[name] for column, name in names.items()}
        return IndexFields(
            fields={**declared, self._declared(report).key: key},
            embedded={found.name: found for found in self.embedded.declarations()},
            key_types={
                facts.key(found): next(iter(facts.kinds(found)))
                for found in self._modelled(report)
                if declared[facts.key(found)].call.function in RELATIONS
            },
            backend=self.style == "backend",
        )

    def _find_targets(self) -> Iterator[tuple[tuple[str, str], Target]]:
        for each in self.report.collections:
            name = each.collection.name
            for found in fields_of(each):
                key = facts.key(found)
                if name in self.declared:
                    yield (name, key), Target(class_name=self._class_names[name], key=found)
                    continue
                known = identifies(each.collection, key) and self._obstacle(found) is None
                if not facts.nullable(found) and (key == "_id" or known):
                    yield (name, key), Target(class_name=self._class_names[name], key=found)

    def _names_of(self, report: CollectionReport) -> Mapping[str, str]:
        """Field names by key; a relation also reserves the name of its column."""
        namespace = Namespace(RESERVED_FIELDS)
        related: dict[str, str] = {}
        plain_keys = []
        for found in self._modelled(report):
            key = facts.key(found)
            if self._related(report, found):
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
        """The fields of the class apart from its key."""
        for found in fields_of(report):
            if facts.key(found) != "_id" and self._obstacle(found) is None:
                yield found

    def _obstacle(self, found: Field) -> str | None:
        """Why the ORM must not use the field; None if it may."""
        key = facts.key(found)
        if not key:
            return "its name is empty"
        if self.style == "plain":
            return None
        if "." in key or key.startswith("$"):
            return "the backend would treat its name as a path or an operator"
        if unwritable := facts.unwritable(found):
            return f"PyMongo cannot write {' and '.join(unwritable)}"
        return None

    def _declared(self, report: CollectionReport) -> DeclaredCollection:
        return self.declared.get(report.collection.name, UNDECLARED)

    def _key_and_fields(self, report: CollectionReport) -> Iterator[FieldDeclaration]:
        """The fields, the primary key first."""
        column, fields = self._declared(report).key, list(self._fields(report))
        if column == "_id":
            yield self._key(report)
        else:
            name = self._field_names[report.collection.name][column]
            key = next(found for found in fields if found.name == name)
            yield replace(key, call=key.call.having(primary_key=True))
            fields.remove(key)
        yield from fields

    def _key(self, report: CollectionReport) -> FieldDeclaration:
        found = _key_of(report)
        if found is None:
            found = Field(
                path=("_id",), parents=0, types={"objectId": TypeCount(count=0, probability=0.0)}
            )
        call = types.backend_key(found) if self.style == "backend" else types.plain_key(found)
        declared = self._declared(report).fields.get(("_id",))
        if declared is not None and declared.function != "ObjectIdAutoField":
            call = declared.having(primary_key=True, db_column="_id")
        comments = [f"{facts.described(found)}."] if call.function == "BSONField" else []
        if found.null:
            comments.append("A document has null here: Django cannot save it.")
        return FieldDeclaration(name="id", call=call, comments=tuple(comments))

    def _fields(self, report: CollectionReport) -> Iterator[FieldDeclaration]:
        for found in self._modelled(report):
            yield self._relation(report, found) or self._value(report, found)

    def _related(self, report: CollectionReport, found: Field) -> tuple[Reference, Target] | None:
        if report.collection.name in self.declared:
            return relations.declared_relation(report, found, self._targets)
        return relations.relation(report, found, self._targets)

    def _to_field(self, reference: Reference) -> str | None:
        """The field of the target; None for its primary key."""
        declared = self.declared.get(reference.target, UNDECLARED)
        if reference.target_path == declared.key:
            return None
        return self._field_names[reference.target].get(reference.target_path)

    def _relation(self, report: CollectionReport, found: Field) -> FieldDeclaration | None:
        related = self._related(report, found)
        if related is None:
            return None
        reference, target = related
        name = self._field_names[report.collection.name][facts.key(found)]
        key = facts.key(found)
        nulls_too = facts.nullable(found) and refuses_second_null(report.collection, key)
        if self.style == "backend" and nulls_too and report.collection.name not in self.declared:
            # A OneToOneField has an index of its own, which allows nulls.
            reference = replace(reference, unique=False)
        call = relations.relation_call(
            reference,
            target,
            to_field=self._to_field(reference),
            related_name=relations.related_name(
                self._class_names[report.collection.name],
                name,
                unique=reference.unique,
                accessors=self._accessors[reference.target],
            ),
            plain=self.style == "plain",
        )
        call = with_options(
            call, found, f"{name}_id", null=facts.nullable(found), counted=_counted(report)
        )
        return FieldDeclaration(name=name, call=call, comments=relations.dangling(reference))

    def _value(self, report: CollectionReport, found: Field) -> FieldDeclaration:
        collection = report.collection.name
        name = self._field_names[collection][facts.key(found)]
        if self.style == "backend":
            owner = self._class_names[collection]
            place = Place(
                collection=collection,
                owner=owner,
                counted=_counted(report),
                declared=self._declared(report),
            )
            made = self.embedded.value_field(found, place)
        else:
            made = self._plain(found, counted=_counted(report))
        null, counted = facts.nullable(found), _counted(report)
        return replace(
            made,
            name=name,
            call=with_options(made.call, found, name, null=null, counted=counted),
            comments=(*made.comments, *demands(found), *relations.remarks(report, found)),
        )

    def _plain(self, found: Field, *, counted: bool) -> FieldDeclaration:
        call = types.plain(found)
        told = types.remarks(found, counted=counted) or _parts(found)
        return FieldDeclaration(name="", call=call, comments=(*told, *types.guesses(found, call)))

    def _left_out(self, report: CollectionReport) -> Iterator[str]:
        if report.profile is None:
            yield "The documents were not read."
            return
        for found in fields_of(report):
            obstacle = self._obstacle(found)
            if obstacle is not None and facts.key(found) != "_id":
                told = f"{found.name} ({facts.described(found)})"
                yield f"Left out and left alone: {told}: {obstacle}."


def _key_of(report: CollectionReport) -> Field | None:
    return next((found for found in fields_of(report) if facts.key(found) == "_id"), None)


def _class_names(report: Report, names: Namespace) -> dict[str, str]:
    """A class name for one document of each collection; in a conflict, a collection keeps its own
    name."""
    wanted = {
        each.collection.name: class_name(singular(each.collection.name))
        for each in report.collections
    }
    shared = Counter(name.lower() for name in wanted.values())
    return {
        name: names.claim(one if shared[one.lower()] == 1 else class_name(name), numbered="{}{}")
        for name, one in wanted.items()
    }


def _plural(name: str) -> str | None:
    """The plural for ``Meta``, if it differs from what Django derives from the class's name."""
    words = camel_case_to_spaces(name)
    found = plural(words)
    return None if found == f"{words}s" else found


def _shown(fields: list[FieldDeclaration]) -> FieldDeclaration | None:
    """The field whose text describes a document: a text that is never null, with a usual name."""
    texts = {
        found.name: found
        for found in fields
        if found.call.function in {"models.CharField", "models.TextField"}
        and not {"null", "choices"} & dict(found.call.kwargs).keys()
    }
    return next((texts[name] for name in NAMING if name in texts), None)


def fields_of(report: CollectionReport) -> tuple[Field, ...]:
    """The top-level fields: those of the documents, otherwise of the validator, and those that the
    collection's options name."""
    found = report.profile.fields if report.profile else ()
    return with_time(report.collection, found or stated_fields(report))


def _counted(report: CollectionReport) -> bool:
    return report.profile is not None and facts.counted(report.profile.coverage)


def _parts(found: Field) -> tuple[str, ...]:
    """What a field of the plain style represents, if its class does not show it."""
    kinds = facts.kinds(found)
    element = facts.element(found)
    if kinds == {"array"} and element is not None:
        return (f"array of {facts.described(element)}.",)
    told = {"string", "int", "long", "double", "decimal", "bool", "date", "binData"}
    if len(kinds) == 1 and kinds <= told:
        return ()
    return (f"{facts.described(found)}.",)
