"""The part of the schema editor that finds values which the new field cannot have.

By default they are listed and nothing changes. A migration can change that with the operation
:class:`~djongo_services.operations.ConvertField`: then they are removed from their documents before
these are converted, and kept in a collection of their own unless that is switched off.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson
from django.db import DataError, IntegrityError
from pymongo import UpdateOne, WriteConcern

from djongo_services.backend.defaults import default_expression
from djongo_services.backend.schema import embedding
from djongo_services.backend.schema.changes import (
    SHOWN,
    FieldChange,
    duplicates_text,
    embedded_misfits_text,
    misfits_text,
    other_id_text,
    taken_out_text,
    violators_text,
)
from djongo_services.backend.schema.draft import Draft
from djongo_services.backend.schema.indexes import IndexEditor
from djongo_services.backend.schema.validators import OPTIONS, column_of
from djongo_services.operations import MISFITS, Misfits
from djongo_services.schema.mapping.layout import ID, AnyModel
from djongo_services.schema.mapping.table import AnyField

_AT_ONCE = 500
"""The number of values that are removed by one command."""
_PASSES = 10
"""How often documents that others have written in the meantime are searched for."""

Document = dict[str, Any]
Expression = Any

logger = logging.getLogger("djongo_services.schema")


class MisfitEditor(IndexEditor):
    misfits: Misfits = "refuse"

    @contextmanager
    def handling_misfits(self, misfits: Misfits) -> Iterator[None]:
        """Handle values that do not fit in this way within the block."""
        before, self.misfits = self.misfits, misfits
        try:
            yield
        finally:
            self.misfits = before

    def refuse_misfits(self, model: AnyModel, change: FieldChange) -> None:
        """Raise an error before anything has changed if documents would not fit the new field.

        Only documents that fit the old one count.
        """
        if change.path:
            self._refuse_embedded_misfits(model, change)
            return
        table = model._meta.db_table
        if change.changes_rules or change.to is not None:
            # Null is not a value that could be removed.
            only = {"was": None} if self.takes_misfits_out(change) else None
            found = list(self.read(table).aggregate(change.misfits(SHOWN + 1, only)))
            if found:
                nulls = all(one.get("v") is None for one in found)
                kind = IntegrityError if nulls and not change.new.null else DataError
                raise kind(misfits_text(table, change, found))
        self._refuse_violators_of_checks(model, change)
        if change.becomes_id:
            shown = {"_id": 1, change.old_column: 1}
            other = self.read(table).find_one(change.differing_from_id(), shown)
            if other is not None:
                raise DataError(other_id_text(table, change, other))
            return
        newly = self._field_should_have_unique(change.new)
        if newly and (change.to is not None or not self._field_should_have_unique(change.old)):
            twice = list(self.read(table).aggregate(change.duplicates(), allowDiskUse=True))
            if twice:
                raise IntegrityError(duplicates_text(table, change, twice[0]))

    def _refuse_violators_of_checks(self, model: AnyModel, change: FieldChange) -> None:
        if not change.checks:
            return
        live = self.validator_of(model)
        clauses = [
            one for one in (() if live is None else Draft(live.query).clauses) if "$comment" in one
        ]
        if clauses:
            table = model._meta.db_table
            found = list(self.read(table).aggregate(change.violators(clauses, SHOWN + 1)))
            if found:
                raise IntegrityError(violators_text(table, change, found))

    def _refuse_embedded_misfits(self, model: AnyModel, change: FieldChange) -> None:
        """The same for a field of an embedded model.

        Whole documents are checked: those that fit the validator now, but not afterwards.
        """
        live = self.validator_of(model)
        if live is None or not (change.changes_rules or change.to is not None):
            return
        draft = Draft(live.query)
        change.settle(draft)
        pipeline: list[Document] = [{"$match": dict(live.query)}]
        for one in change.embedded_changes():
            column, expression = embedding.within(change.path, one)
            missing = {"$eq": [{"$type": f"${column}"}, "missing"]}
            pipeline.append({"$set": {column: {"$cond": [missing, "$$REMOVE", expression]}}})
        pipeline += [{"$match": {"$nor": [draft.query()]}}, {"$project": {"_id": 1}}]
        table = model._meta.db_table
        found = list(self.read(table).aggregate([*pipeline, {"$limit": SHOWN + 1}]))
        if found:
            raise DataError(embedded_misfits_text(table, change, found))

    def takes_misfits_out(self, change: FieldChange) -> bool:
        """Whether values that do not fit are removed from their documents. They are listed as usual
        if nothing can replace them, or if the replacement must be unique."""
        if self.misfits == "refuse" or change.path or column_of(change.old) == ID:
            return False
        if not (change.changes_rules or change.to is not None):
            return False
        new = change.new
        default = new.has_default() or new.has_db_default()
        return new.null or (default and not self._field_should_have_unique(new))

    def take_misfits_out(self, model: AnyModel, change: FieldChange, *, bypass: bool) -> None:
        """Replace each value that does not fit by null, or the default.

        After an interruption, another run finds the remaining ones; what was kept stays unchanged.
        """
        table, column = model._meta.db_table, change.old_column
        if self.collect_sql:
            self.collected_sql.append(f"// {taken_out_text(table, change, self.misfits)}")
            return
        new = change.new
        place = {"$literal": None} if new.null else self.value_for_all(new)
        taken = 0
        for _ in range(_PASSES):
            before = taken
            cursor = self.read(table).aggregate(change.misfits(None, {"was": {"$ne": None}}))
            while batch := list(itertools.islice(cursor, _AT_ONCE)):
                if self.misfits == "keep":
                    self._keep(table, change, batch)
                requests = [
                    # Unless another client has changed it in the meantime.
                    UpdateOne(
                        {"_id": one["_id"], column: {"$eq": one["was"]}},
                        [{"$set": {column: place}}],
                    )
                    for one in batch
                ]
                collection = self.connection.database[table]
                done = collection.bulk_write(
                    requests, ordered=False, bypass_document_validation=bypass
                )
                taken += done.modified_count
            if taken == before:
                break
        if taken:
            logger.warning("%s", taken_out_text(table, change, self.misfits, taken))

    def _keep(self, table: str, change: FieldChange, batch: list[Document]) -> None:
        kept = self.connection.database.get_collection(
            MISFITS, write_concern=WriteConcern("majority")
        )
        now = dt.datetime.now(dt.UTC)
        requests = []
        for one in batch:
            what = {
                "collection": table,
                "field": change.old_column,
                "document": one["_id"],
                "value": one["was"],
            }
            digest = hashlib.sha256(bson.encode(what, codec_options=OPTIONS)).hexdigest()
            types = {"type": change.old_title, "not": change.new_title, "at": now}
            requests.append(
                UpdateOne({"_id": digest}, {"$setOnInsert": {**what, **types}}, upsert=True)
            )
        kept.bulk_write(requests, ordered=False)

    def value_for_all(self, field: AnyField) -> Expression:
        """The value, as an expression, for documents that lack the field."""
        if field.has_db_default():
            return default_expression(field, self.connection)
        return {"$literal": self.effective_default(field)}
