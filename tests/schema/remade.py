"""Recreates a collection in processes that are killed meanwhile."""

from __future__ import annotations

from djongo_services.schema.spec import CollectionSpec, IndexSpec

SPEC = CollectionSpec(
    name="log",
    models=("app.Log",),
    indexes=(IndexSpec(name="at_key", keys=(("at", 1),), options={"unique": True}),),
    options={"capped": True, "size": 1 << 26},
)
SPECS = (SPEC,)
