"""A unique index that is to be renamed and changed, for processes that are killed while they do
it."""

from __future__ import annotations

from djongo_services.schema.spec import CollectionSpec, IndexSpec

SPECS = (
    CollectionSpec(
        name="things",
        models=("app.Thing",),
        indexes=(
            IndexSpec(
                name="a_key",
                keys=(("a", 1),),
                options={"unique": True, "partialFilterExpression": {"a": {"$type": "string"}}},
            ),
        ),
    ),
)
