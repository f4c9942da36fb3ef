"""The summary of a run, in a few words."""

from __future__ import annotations

from djongo_services.introspection.catalog import Validator
from djongo_services.schema.operations import (
    SHADOW_PREFIX,
    BuildIndexes,
    CreateCollection,
    DropIndex,
    MakeUnique,
    Operation,
    PrepareUnique,
    SetCollectionTTL,
    SetHidden,
    SetTTL,
    SetValidator,
)
from djongo_services.schema.remaking import FinishRemaking
from djongo_services.schema.spec import IndexSpec
from djongo_services.schema.summary import RunSummary, summarize

VALIDATOR = Validator(query={"a": 1})


def spec(name: str) -> IndexSpec:
    return IndexSpec(name=name, keys=(("a", 1),))


def words(*operations: Operation) -> str:
    return summarize(operations).words()


def test_kinds_in_their_order() -> None:
    assert (
        words(
            SetTTL(collection="a", index="i", before=None, after=1),
            SetCollectionTTL(collection="a", before=None, after=1),
            SetValidator(collection="a", after=VALIDATOR),
            SetValidator(collection="b", after=VALIDATOR),
            CreateCollection(collection="c"),
        )
        == "1 collection, 2 validators, 1 index, 1 expiry"
    )


def test_an_object_of_several_steps_counts_once() -> None:
    assert (
        words(
            PrepareUnique(collection="a", index="i"),
            MakeUnique(collection="a", index="i"),
            SetHidden(collection="b", index="i", hidden=True),
        )
        == "2 indexes"
    )


def test_a_rebuild_is_one_index() -> None:
    shadow = spec(f"{SHADOW_PREFIX}i")
    assert (
        words(
            BuildIndexes(collection="a", indexes=(shadow,)),
            DropIndex(collection="a", index=spec("i")),
            BuildIndexes(collection="a", indexes=(spec("i"),)),
            DropIndex(collection="a", index=shadow),
        )
        == "1 index"
    )


def test_a_new_collection_has_its_validator_with_it() -> None:
    assert (
        words(
            CreateCollection(collection="a"),
            SetValidator(collection="a", after=VALIDATOR),
            BuildIndexes(collection="a", indexes=(spec("i"), spec("j"))),
        )
        == "1 collection, 2 indexes"
    )


def test_what_only_tidies_up_counts_steps() -> None:
    assert words(FinishRemaking(collection="a")) == "1 step"
    assert words() == "0 steps"


def test_in_the_history() -> None:
    found = summarize([SetValidator(collection="a", after=VALIDATOR)])
    assert RunSummary.from_document(found.document(), steps=1) == found
    kept: tuple[object, ...] = (None, [], {"validators": "many"})
    for odd in kept:
        assert RunSummary.from_document(odd, steps=3).words() == "3 steps"
