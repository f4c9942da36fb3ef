"""Random operations one after another: the database is what the models say, and no document is lost
or broken."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import DataError, IntegrityError, models
from django.db.migrations import operations as o
from django.db.migrations.operations.base import Operation
from django.db.models import Q
from django_mongodb_backend.fields import EmbeddedModelArrayField, EmbeddedModelField
from django_mongodb_backend.models import EmbeddedModel

from djongo_services.embedded_models import is_embedded
from djongo_services.introspection import read_catalog
from djongo_services.schema.diff import diff
from djongo_services.schema.target import collection_spec
from tests.engine.migrating.state import APP, Moving, key
from tests.mongodb_orm import connection

WITHIN = (EmbeddedModelField, EmbeddedModelArrayField)
NUMBERS = ("IntegerField", "BigIntegerField", "FloatField", "DecimalField")
KINDS: dict[type[models.Field[Any, Any]], dict[str, Any]] = {
    models.CharField: {"max_length": 12},
    models.IntegerField: {},
    models.PositiveSmallIntegerField: {},
    models.BigIntegerField: {},
    models.FloatField: {},
    models.DecimalField: {"max_digits": 6, "decimal_places": 2},
    models.BooleanField: {},
    models.TextField: {},
    models.DateField: {},
    models.DateTimeField: {},
    models.UUIDField: {},
    models.JSONField: {},
    models.SlugField: {"max_length": 12},
}


class Drawn:
    """Draws operations that fit the models so far, and documents for them."""

    def __init__(self, moving: Moving, seed: int) -> None:
        self.moving = moving
        self.random = random.Random(seed)
        self.names = 0

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    def operation(self) -> Operation:
        while True:
            method: Callable[[], Operation | None] = self.random.choice(
                [*(getattr(self, name) for name in vars(type(self)) if name.startswith("op_"))]
            )
            if method != self.op_create and not self.wholes():
                continue
            if (found := method()) is not None:
                return found

    # The models, and their parts.

    def states(self) -> list[Any]:
        return [one for (app, _), one in self.moving.state.models.items() if app == APP]

    def wholes(self) -> list[Any]:
        return [one for one in self.states() if not one.name.startswith("Part")]

    def one_of(self, prefix: str) -> Any:
        found = [one for one in self.states() if one.name.startswith(prefix)]
        return self.random.choice(found) if found else None

    def field_of(self, state: Any, fits: Callable[[Any], bool]) -> str | None:
        """The name of a field that is no key, and that no check constraint names."""
        checked = str([one.deconstruct() for one in state.options.get("constraints", ())])
        found = [
            name
            for name, field in state.fields.items()
            if not field.primary_key
            and not field.many_to_many
            and fits(field)
            and f"'{name}" not in checked
        ]
        return self.random.choice(found) if found else None

    def plain(self, state: Any) -> str | None:
        return self.field_of(state, lambda one: not one.is_relation and not isinstance(one, WITHIN))

    def new_field(self, *, unique: bool = False) -> Any:
        kind = self.random.choice([*KINDS])
        options: dict[str, Any] = {**KINDS[kind], "null": self.random.random() < 0.4}
        distinct = kind not in (models.JSONField, models.TextField, models.BooleanField)
        if unique and distinct and self.random.random() < 0.2:
            return kind(**options, unique=True)
        options["db_index"] = self.random.random() < 0.2
        default: Any = dict if kind is models.JSONField else self.value(kind(**options))
        return kind(**options, default=default)

    def new_key(self) -> Any:
        kinds = (models.CharField, models.SlugField)
        others = [kind(max_length=40, primary_key=True) for kind in kinds]
        return self.random.choice([*others, models.BigIntegerField(primary_key=True), key()[1]])

    def value(self, field: Any) -> Any:
        number = self.random.randrange(10_000)
        day = dt.date(2020, 1, 1) + dt.timedelta(days=number)
        return {
            "BooleanField": bool(number % 2),
            "DateField": day,
            "DateTimeField": dt.datetime(day.year, day.month, day.day, 7, 30, tzinfo=dt.UTC),
            "DecimalField": Decimal(number) / 10,
            "FloatField": number / 4,
            "JSONField": {"a": number},
            "UUIDField": uuid.UUID(int=number),
        }.get(
            field.get_internal_type(),
            number if "Integer" in field.get_internal_type() else str(number),
        )

    # Operations; None if the models have nothing for it.

    def op_create(self) -> Operation | None:
        fields = [(self.name("f"), self.new_field(unique=True)) for _ in range(3)]
        return o.CreateModel(self.name("Whole"), [("id", self.new_key()), *fields])

    def op_create_embedded(self) -> Operation | None:
        fields = [(self.name("f"), self.new_field()) for _ in range(2)]
        return o.CreateModel(self.name("Part"), fields, bases=(EmbeddedModel,))

    def op_embed(self) -> Operation | None:
        part = self.one_of("Part")
        if part is None:
            return None
        kind = self.random.choice(WITHIN)
        field = kind(f"{APP}.{part.name}", null=True)
        return o.AddField(self.one_of("Whole").name, self.name("e"), field)

    def op_delete(self) -> Operation | None:
        state = self.one_of("Whole")
        targets = {
            one.remote_field.model.lower()
            for other in self.states()
            for one in other.fields.values()
            if one.is_relation
        }
        taken = f"{APP}.{state.name}".lower() in targets
        return None if taken else o.DeleteModel(state.name)

    def op_add(self) -> Operation | None:
        state = self.random.choice(self.states())
        return o.AddField(state.name, self.name("f"), self.new_field())

    def op_alter(self) -> Operation | None:
        state = self.random.choice(self.states())
        name = self.plain(state)
        if name is None:
            return None
        return o.AlterField(state.name, name, self.new_field(unique=state in self.wholes()))

    def op_alter_key(self) -> Operation | None:
        state = self.one_of("Whole")
        (name,) = (name for name, one in state.fields.items() if one.primary_key)
        return o.AlterField(state.name, name, self.new_key())

    def op_column(self) -> Operation | None:
        state = self.one_of("Whole")
        name = self.plain(state)
        if name is None:
            return None
        _, _, arguments, options = state.fields[name].deconstruct()
        options["db_column"] = self.name("c")
        return o.AlterField(state.name, name, type(state.fields[name])(*arguments, **options))

    def op_rename(self) -> Operation | None:
        state = self.random.choice(self.states())
        name = self.field_of(state, lambda one: True)
        return None if name is None else o.RenameField(state.name, name, self.name("r"))

    def op_remove(self) -> Operation | None:
        state = self.random.choice(self.states())
        name = self.field_of(state, lambda one: True)
        declared = str([one.deconstruct() for one in state.options.get("indexes", ())])
        together = str(state.options.get("unique_together", ""))
        if name is None or f"'{name}'" in declared + together or len(state.fields) < 3:
            return None
        return o.RemoveField(state.name, name)

    def op_relate(self) -> Operation | None:
        target = f"{APP}.{self.one_of('Whole').name}"
        field: Any = self.random.choice(
            [
                models.ForeignKey(target, models.CASCADE, null=True, related_name="+"),
                models.OneToOneField(target, models.CASCADE, null=True, related_name="+"),
                models.ManyToManyField(target, related_name="+"),
            ]
        )
        return o.AddField(self.one_of("Whole").name, self.name("k"), field)

    def op_alter_relation(self) -> Operation | None:
        state = self.one_of("Whole")
        name = self.field_of(state, lambda one: one.is_relation)
        if name is None:
            return None
        target = state.fields[name].remote_field.model
        kind = self.random.choice([models.ForeignKey, models.OneToOneField])
        return o.AlterField(
            state.name, name, kind(target, models.SET_NULL, null=True, related_name="+")
        )

    def op_index(self) -> Operation | None:
        state = self.one_of("Whole")
        names = {self.field_of(state, lambda one: True), self.field_of(state, lambda one: True)}
        fields = sorted(name for name in names if name is not None)
        if not fields:
            return None
        return o.AddIndex(state.name, models.Index(fields=fields, name=self.name("by")))

    def op_no_index(self) -> Operation | None:
        state = self.one_of("Whole")
        indexes = state.options.get("indexes")
        return o.RemoveIndex(state.name, self.random.choice(indexes).name) if indexes else None

    def op_unique(self) -> Operation | None:
        state = self.one_of("Whole")
        names = {self.plain(state), self.plain(state)} - {None}
        if len(names) < 2:
            return None
        fields = sorted(str(name) for name in names)
        if self.random.random() < 0.5:
            return o.AlterUniqueTogether(state.name, {tuple(fields)})
        constraint = models.UniqueConstraint(fields=fields, name=self.name("once"))
        return o.AddConstraint(state.name, constraint)

    def op_check(self) -> Operation | None:
        state = self.one_of("Whole")
        name = self.field_of(state, lambda one: one.get_internal_type() in NUMBERS)
        if name is None:
            return None
        check = models.CheckConstraint(condition=Q(**{f"{name}__gte": 0}), name=self.name("from"))
        return o.AddConstraint(state.name, check)

    def op_no_constraint(self) -> Operation | None:
        state = self.one_of("Whole")
        found = state.options.get("constraints")
        return o.RemoveConstraint(state.name, self.random.choice(found).name) if found else None

    def op_rename_model(self) -> Operation | None:
        return o.RenameModel(self.one_of("Whole").name, self.name("Whole"))

    def op_table(self) -> Operation | None:
        table = self.random.choice([None, f"{APP}_{self.name('t')}"])
        return o.AlterModelTable(self.one_of("Whole").name, table)

    # Documents.

    def fill(self) -> None:
        for model in current_models(self.moving):
            if is_embedded(model) or model._meta.auto_created or model.objects.count() > 6:
                continue
            for _ in range(2):
                try:
                    made = model.objects.create(**self.values(model))
                except IntegrityError as error:
                    if "E11000" not in str(error):
                        raise
                    continue  # drawn twice
                for field in model._meta.local_many_to_many:
                    getattr(made, field.name).add(*field.related_model.objects.all()[:1])

    def values(self, model: Any) -> dict[str, Any]:
        fields = [one for one in model._meta.concrete_fields if not one.primary_key]
        found = {one.name: self.value_of(one) for one in fields}
        pk = model._meta.pk
        if pk.get_internal_type() != "ObjectIdAutoField" and not is_embedded(model):
            found[pk.name] = self.value(pk)
        return found

    def value_of(self, field: Any) -> Any:
        if field.null and self.random.random() < 0.3:
            return None
        if field.is_relation:
            return self.random.choice([None, *field.related_model.objects.all()])
        if not isinstance(field, WITHIN):
            return self.value(field)
        part = field.embedded_model
        if isinstance(field, EmbeddedModelArrayField):
            return [part(**self.values(part)) for _ in range(2)]
        return part(**self.values(part))


def current_models(moving: Moving) -> list[Any]:
    # Made anew: a state keeps models that embed a changed one as they were.
    fresh = moving.state.clone()
    vars(fresh).pop("apps", None)
    found = fresh.apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.app_label == APP]


def check(moving: Moving) -> None:
    found = [model for model in current_models(moving) if not is_embedded(model)]
    specs = [collection_spec([model], backend=connection) for model in found]
    plan = diff(read_catalog(connection.database), tuple(specs))
    assert [change.words for change in plan.changes if change.operations] == []
    assert moving.out_of_step() == []
    names = connection.database.list_collection_names(filter={"name": {"$regex": f"^{APP}_"}})
    assert sorted(names) == sorted(spec.name for spec in specs)
    for model in found:
        for one in model.objects.all():
            one.save()  # No validator and no unique index refuses it.
            for field in model._meta.concrete_fields:
                if field.is_relation and getattr(one, field.attname) is not None:
                    assert getattr(one, field.name).pk == getattr(one, field.attname)


@pytest.mark.parametrize("seed", range(8))
def test_the_database_is_what_the_models_say(moving, seed):
    drawn = Drawn(moving, seed)
    for _ in range(20):
        operation = drawn.operation()
        before = moving.state.clone()
        count = {model._meta.label: model.objects.count() for model in whole_models(moving)}
        try:
            moving.text(operation)
            moving.do(operation)
        except (DataError, IntegrityError):
            moving.state = before
            after = {model._meta.label: model.objects.count() for model in whole_models(moving)}
            assert after == count
        check(moving)
        drawn.fill()


def whole_models(moving: Moving) -> list[Any]:
    return [model for model in current_models(moving) if not is_embedded(model)]
