"""A collection that is to be made anew, for processes that are killed while they do it."""

from __future__ import annotations

from djongo_services.schema.spec import CollectionSpec, IndexSpec

SPEC = CollectionSpec(
    name="log",
    models=("app.Log",),
    indexes=(IndexSpec(name="at_key", keys=(("at", 1),), options={"unique": True}),),
    options={"capped": True, "size": 1 << 26},
)
SPECS = (SPEC,)
