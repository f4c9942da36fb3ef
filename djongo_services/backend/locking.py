"""``select_for_update()``: the write lock of documents, taken without changing them.

An update that changes nothing locks nothing, so each document is changed and changed back. If its
validator allows other fields, a field is set and removed again. Otherwise the order of its fields
is reversed twice, which rewrites the whole document, and which validators ignore.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.db.utils import NotSupportedError
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from djongo_services.backend.refusals import explain_refusal
from djongo_services.schema.options import options_of, rules_of
from djongo_services.server_errors import DOCUMENT_REFUSED

LOCK = "djongo_services_lock"
"""The field that is set and removed again."""

_REVERSED = [{"$replaceWith": {"$arrayToObject": {"$reverseArray": {"$objectToArray": "$$ROOT"}}}}]


def lock(
    collection: Collection[Any], model: type[Model], pipeline: list[dict[str, Any]], session: Any
) -> None:
    """Lock the documents that the pipeline finds. Raises PyMongo's errors, and NotSupportedError
    for a closed validator that the model does not declare."""
    found = collection.aggregate([*pipeline, {"$project": {"_id": True}}], session=session)
    keys = [document["_id"] for document in found]
    if not keys:
        return
    try:
        for change in _changes(model._meta.concrete_model or model):
            collection.update_many({"_id": {"$in": keys}}, change, session=session)
    except OperationFailure as error:
        if error.code == DOCUMENT_REFUSED and LOCK in explain_refusal(error.details).fields:
            raise NotSupportedError(
                f"select_for_update() cannot lock documents of {collection.name}: its validator "
                f"allows no other fields, but the model does not declare that. Declare "
                f"@collection_options(closed=True) on {model._meta.label}."
            ) from error
        raise


def _changes(model: type[Model]) -> list[Any]:
    if options_of(model).closed and rules_of(model) != "off":
        return [_REVERSED, _REVERSED]
    return [{"$set": {LOCK: True}}, {"$unset": {LOCK: True}}]
