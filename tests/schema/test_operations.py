"""The risk of operations, and of those that undo them."""

from __future__ import annotations

import pytest

from djongo_services.schema.operations import DropIndex, Risk, SetCollectionTTL, SetTTL
from djongo_services.schema.spec import IndexSpec


@pytest.mark.parametrize(
    ("before", "after", "risk"),
    [
        (60, 61, Risk.SAFE),
        (60, 60, Risk.SAFE),
        (60, 59, Risk.DESTROYS),
        (None, 60, Risk.DESTROYS),
        (60, None, Risk.SAFE),
    ],
)
def test_documents_that_expire_earlier_are_destroyed(before, after, risk):
    assert SetCollectionTTL(collection="c", before=before, after=after).risk is risk
    if after is not None:
        assert SetTTL(collection="c", index="i", before=before, after=after).risk is risk


@pytest.mark.parametrize(
    ("options", "risk"), [({}, Risk.SLOW), ({"expireAfterSeconds": 60}, Risk.DESTROYS)]
)
def test_a_dropped_index_is_built_again_with_its_risk(options, risk):
    dropped = DropIndex(
        collection="c", index=IndexSpec(name="i", keys=(("at", 1),), options=options)
    )
    (again,) = dropped.inverse()
    assert again.risk is risk
    assert [undo.risk for undo in again.inverse()] == [Risk.DESTROYS]
