"""The demo's models and what its migrations and its seed have made."""

from __future__ import annotations

import pytest

from tests.demo.conftest import Demo, demo

__all__ = ["demo"]

CODE = """
from djongo_services.connections import connections
from djongo_services.introspection import read_catalog
from djongo_services.schema.diff import IndexPolicy, ValidationPolicy, diff
from djongo_services.schema.target import specs_for
catalog = read_catalog(connections["default"].database)
specs = specs_for(connections["default"])
plan = diff(catalog, specs, validation=ValidationPolicy(level="off"))
result = [
    [f"{c.collection}: {c.sign} {c.words}" for c in (*plan.changes, *plan.notes)],
    [(problem.subject, problem.reason) for problem in plan.problems],
    {
        spec.name: connections["default"].database[spec.name].count_documents(
            {"$nor": [spec.validator]}
        )
        for spec in specs
    },
]
"""


@pytest.mark.usefixtures("demo")
def test_only_the_seeded_oddities_differ_and_no_document_violates(demo: Demo) -> None:
    drift, problems, violators = demo.run(CODE)
    assert drift == [
        "archive_note: - index author_recorded_by_hand {author_id: 1, recorded_at: -1}: "
        "no model declares it",
        "archive_note: - index keywords_by_hand {keywords: 1}: no model declares it",
    ]
    assert problems == []
    assert "archive_note" in violators
    assert not any(violators.values()), violators
