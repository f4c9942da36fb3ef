"""What models want, compared with what the backend's migrate has made of them."""

from __future__ import annotations

from typing import Any

import pytest

from djongo_services.connections import connections
from djongo_services.introspection import read_catalog
from djongo_services.schema.diff import ValidationPolicy, diff
from djongo_services.schema.plan import Plan
from djongo_services.schema.spec import CollectionSpec
from djongo_services.schema.target import specs_for

OFF = ValidationPolicy(level="off")


@pytest.fixture
def specs() -> dict[str, CollectionSpec]:
    return {spec.name: spec for spec in specs_for(connections["default"])}


def plan(*specs: CollectionSpec, **options: Any) -> Plan:
    return diff(read_catalog(connections["default"].database), specs, **options)


def lines(found: Plan) -> list[str]:
    return [f"{change.collection}: {change.sign} {change.words}" for change in found.changes]


@pytest.mark.django_db
class TestAfterMigrate:
    """The test database was made by the backend's migrate."""

    def test_only_what_the_backend_passes_over_differs(self, specs):
        found = plan(*specs.values(), validation=OFF)
        assert lines(found) == [
            "target_keeper: + index keeper_nulls_equal {town: 1, age: 1} unique",
            "target_word: ! its default collation is another; MongoDB cannot change that on an "
            "existing collection: copy the documents into a new one",
        ]
        assert found.notes == ()
