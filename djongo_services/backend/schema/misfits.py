"""The part of the schema editor that looks for values which the new field cannot have.

By default they are listed and nothing changes. A migration can say otherwise, by the operation
:class:`~djongo_services.operations.ConvertField`: then they leave their documents before these are
converted, and are kept in a collection of their own unless that is not wanted either.
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
    taken_out_text,
)
from djongo_services.backend.schema.draft import Draft
from djongo_services.backend.schema.indexes import IndexEditor
from djongo_services.backend.schema.validators import OPTIONS, column_of
from djongo_services.operations import MISFITS, Misfits
from djongo_services.schema.mapping.layout import ID, AnyModel
from djongo_services.schema.mapping.table import AnyField

_AT_ONCE = 500
"""Values that leave their documents by one command."""
_PASSES = 10
"""How often it is looked for what others have written meanwhile."""

Document = dict[str, Any]
Expression = Any

logger = logging.getLogger("djongo_services.schema")


class MisfitEditor(IndexEditor):
    misfits: Misfits = "refuse"

    @contextmanager
    def handling_misfits(self, misfits: Misfits) -> Iterator[None]:
        """Within the block, what becomes of values that do not fit."""
        before, self.misfits = self.misfits, misfits
        try:
            yield
        finally:
            self.misfits = before

    def refuse_misfits(self, model: AnyModel, change: FieldChange) -> None:
        """Raise before anything has changed where documents would not fit the new field.

        Those count that fit the old one.
        """
        table = model._meta.db_table
        if change.changes_rules or change.to is not None:
            # What is null has no value that could be taken out.
            only = {"was": None} if self.takes_misfits_out(change) else None
            found = list(self.read(table).aggregate(change.misfits(SHOWN + 1, only)))
            if found:
                nulls = all(one.get("v") is None for one in found)
                kind = IntegrityError if nulls and not change.new.null else DataError
                raise kind(misfits_text(table, change, found))
        newly = self._field_should_have_unique(change.new)
        if newly and (change.to is not None or not self._field_should_have_unique(change.old)):
            twice = list(self.read(table).aggregate(change.duplicates(), allowDiskUse=True))
            if twice:
                raise IntegrityError(duplicates_text(table, change, twice[0]))

    def refuse_embedded_misfits(self, model: AnyModel, change: FieldChange) -> None:
        """The same where the field is one of an embedded model.

        Whole documents are looked at: those that fit the validator, and will not.
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
        """Whether values that do not fit leave their documents. They are listed as always where
        nothing can take their place, or where it could be there once only."""
        if self.misfits == "refuse" or change.path or column_of(change.old) == ID:
            return False
        if not (change.changes_rules or change.to is not None):
            return False
        new = change.new
        default = new.has_default() or new.has_db_default()
        return new.null or (default and not self._field_should_have_unique(new))

    def take_misfits_out(self, model: AnyModel, change: FieldChange, *, bypass: bool) -> None:
        """Put null, or the default, in the place of each value that does not fit.

        Run again after an interruption it finds those that are left; what was kept stays as it is.
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
                    # Unless somebody has changed it meanwhile.
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
        """What documents get that lack the field: an expression."""
        if field.has_db_default():
            return default_expression(field, self.connection)
        return {"$literal": self.effective_default(field)}
