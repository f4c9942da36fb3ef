"""The part of the schema editor that keeps validators up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from bson import encode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions

from djongo_services.backend.schema.commands import CommandEditor
from djongo_services.backend.schema.draft import Draft, Path
from djongo_services.backend.schema.embedding import is_single, places_in, prefix_of
from djongo_services.backend.titles import parse, title_of
from djongo_services.introspection.catalog import Validator
from djongo_services.schema.diff.validators import ValidationPolicy, same_query
from djongo_services.schema.mapping import field_schema, is_required
from djongo_services.schema.mapping.layout import AnyModel, column_on_backend
from djongo_services.schema.mapping.table import AnyField, is_numbered_key
from djongo_services.schema.migrating.settling import primary, validators_of
from djongo_services.schema.operations import SetValidator
from djongo_services.schema.options import options_of, rules_of, take_options
from djongo_services.schema.ownership import is_ours, marked, models_of_mark, remarked
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.target import model_validator

Document = dict[str, Any]
Change = Callable[[Draft], None]

OPTIONS: CodecOptions[Document] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


def column_title(field: AnyField) -> str:
    """The title of a field as its values are stored: integer keys are ObjectIds at ``_id``."""
    if is_numbered_key(field):
        return "ObjectIdAutoField"
    title = title_of(field)
    target: Any = getattr(field, "target_field", None)
    if target is None or not is_numbered_key(target):
        return title
    found = parse(title)
    if found is None or found.target is None:
        return title
    return str(replace(found, target=replace(found.target, column=column_on_backend(target))))


class ValidatorEditor(CommandEditor):
    """An editor that leaves alone validators which the project did not create, and collections
    without a validator."""

    maintains_validators = True
    """If this is True, the receivers of ``migrate`` do not relax validators."""
    column_title = staticmethod(column_title)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._collected: dict[str, Validator | None] = {}
        """The validators after the commands that are collected and not sent."""

    def new_validator(self, model: AnyModel) -> Validator | None:
        """The validator of a new collection; None if the rules of the model are off."""
        take_options(model)
        query, _, _ = model_validator(model, self.connection)
        options = options_of(model)
        spec = CollectionSpec(
            name=model._meta.db_table,
            models=(model._meta.label,),
            validator=query,
            level=options.validation_level,
            action=options.validation_action,
        )
        return ValidationPolicy().wanted(spec, 0)

    def validator_of(self, model: AnyModel) -> Validator | None:
        """The validator in force, if it is ours."""
        table = model._meta.db_table
        if self.collect_sql:
            if table not in self._collected:
                self._collected[table] = self.new_validator(model)
            return self._collected[table]
        found = validators_of(self.connection.database, table).get(table)
        return found if found is not None and is_ours(found.query) else None

    def edit(self, model: AnyModel, change: Change, *, base: Validator | None = None) -> None:
        """Change the validator of the model's collection, or its earlier state: ``base``."""
        live = self.validator_of(model)
        if live is None:
            return
        before = base or live
        draft = Draft(before.query)
        change(draft)
        query = remarked(draft.query(), before.query)
        if same_query(query, live.query):
            return
        self.set_validator(model._meta.db_table, live, replace(live, query=query))

    def set_validator(self, table: str, before: Validator, after: Validator) -> None:
        if encode(after.query, codec_options=OPTIONS) == encode(
            before.query, codec_options=OPTIONS
        ):
            return
        self._collected[table] = after
        self.run(SetValidator(collection=table, before=before, after=after).command())

    def checks_of(self, field: AnyField) -> tuple[Document, ...]:
        """The named clauses in the validator of the field's model."""
        model = getattr(field, "model", None)
        validator = None if model is None else self.new_validator(model)
        clauses = () if validator is None else Draft(validator.query).clauses
        return tuple(one for one in clauses if "$comment" in one)

    def move_validator(self, model: AnyModel, old_table: str, new_table: str) -> None:
        """Update the validator after a collection was renamed, and perhaps a model's label
        changed."""
        if self.collect_sql:
            self._collected[new_table] = self._collected.pop(old_table, None)
        live = self.validator_of(standing_for(new_table, model._meta.label))
        if live is not None:
            query = marked(live.query, [model._meta.label])
            self.set_validator(new_table, live, replace(live, query=query))

    def kept_before(self, live: Validator | None, where: str) -> Validator | None:
        """The validator at the beginning of the operation, also if an earlier run was interrupted.

        ``where`` is the collection, and the place in its documents that the operation changes.
        """
        if live is None:
            return None
        return replace(live, query=self.noted(f"validator {where}", dict(live.query)))

    def places_of(self, model: AnyModel) -> list[tuple[AnyModel, Path]]:
        """The collections whose documents contain an embedded model, and where.

        Only collections whose validators are ours are included. A collection is represented by a
        model with its table.
        """
        there: dict[str, Validator | None] = {
            name: one
            for name, one in validators_of(self.connection.database).items()
            if is_ours(one.query)
        }
        if self.collect_sql:
            there |= self._collected
        found = [
            (table, one, path)
            for table, one in there.items()
            if one is not None
            for path in places_in(one.query, model._meta.label)
        ]
        if self.collect_sql:
            # The models that stand for the owners cannot tell what their validators would be.
            self._collected |= {table: one for table, one, _ in found}
        return [(_owner(table, one), path) for table, one, path in found]

    def single_places_of(self, model: AnyModel) -> list[tuple[AnyModel, str]]:
        """The same with the prefix of dotted names, if the path contains no array."""
        found = self.places_of(model)
        return [(owner, prefix_of(path)) for owner, path in found if is_single(path)]

    def schema_of(self, model: AnyModel, field: AnyField) -> Document:
        """The schema of one column, with its title."""
        take_options(model)
        return field_schema(
            field,
            backend=True,
            closed=options_of(model).closed,
            rules=rules_of(model),
            title=self.column_title,
        )

    def read(self, table: str) -> Any:
        """The collection read from its primary."""
        return primary(self.connection.database)[table]


def _owner(table: str, validator: Validator) -> Any:
    return standing_for(table, (models_of_mark(validator.query) or (table,))[0])


def standing_for(table: str, label: str) -> Any:
    """The parts of a collection's model that the editor needs."""
    meta = SimpleNamespace(
        db_table=table,
        label=label,
        app_label=label.partition(".")[0],
        auto_created=False,
        constraints=(),
        indexes=(),
    )
    return type("Owner", (), {"_meta": meta})


def column_of(field: AnyField) -> str | None:
    """The field's name in the documents; None if it is not stored there."""
    return None if field.column is None else column_on_backend(field)


def demands(field: AnyField) -> bool:
    return is_required(field, backend=True)
