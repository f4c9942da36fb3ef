"""A collection with any BSON values is inspected, and every format shows it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database
from pymongo.errors import WriteError

from djongo_services.introspection import inspect_database
from djongo_services.introspection.formats import FORMATS, RenderOptions
from djongo_services.introspection.rendering.json import render_json
from djongo_services.introspection.report import Depth
from djongo_services.introspection.saved import read_report
from tests.databases import drop
from tests.schema import raw_bson

documents = st.lists(
    st.dictionaries(
        st.one_of(raw_bson.text, raw_bson.names, st.sampled_from(["a.b", "", "$a", "\u202e", "a"])),
        raw_bson.values,
        max_size=4,
    ).map(lambda each: {name: value for name, value in each.items() if name != "_id"}),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=documents, depth=st.sampled_from(get_args(Depth)), values=st.booleans())
def test_any_documents(
    database: Database[Any], depth: Depth, drawn: list[dict[str, Any]], values: bool
) -> None:
    drop(database)
    for document in drawn:
        with suppress(WriteError):  # What the server refuses is no document.
            database.odd.insert_one(raw_bson.document(document))
    report = inspect_database(database, depth=depth, values=values)
    assert report.stopped is None
    for each in FORMATS.values():
        text = each.render(report, RenderOptions(style="plain"))
        assert text.encode("utf-8")
    assert read_report(render_json(report)).collections
