"""Pages of files: each file once, in order, whatever its id, its name and its date are."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from bson import Int64, ObjectId
from pymongo.collection import Collection
from pymongo.database import Database

from djongo_services.admin.files.filters import Filters, after_prefix
from djongo_services.admin.files.listing import (
    BY_NAME,
    LENIENT,
    ListedFiles,
    ListIndexes,
    ListPosition,
    list_files,
)
from djongo_services.admin.files.rows import projection

DAY = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
Files = Collection[dict[str, Any]]


@pytest.fixture
def files(database: Database[Any]) -> Files:
    found = database.get_collection("fs.files", codec_options=LENIENT)
    found.create_index(list(BY_NAME))
    return found


def add(files: Files, *documents: dict[str, Any]) -> None:
    files.insert_many(
        [
            {"length": Int64(10), "chunkSize": 10, "uploadDate": DAY, "filename": "a", **each}
            for each in documents
        ]
    )


def pages(files: Files, filters: Filters, **options: Any) -> list[ListedFiles]:
    """All of them, each from the place that the one before named in its link."""
    found: list[ListedFiles] = []
    place = None
    while not found or found[-1].next is not None:
        indexes = ListIndexes.of(files)
        found.append(
            list_files(files, filters, projection(), indexes=indexes, place=place, **options)
        )
        following = found[-1].next
        place = ListPosition.of(following.token) if following else None
        assert len(found) < 100
    return found


def walk(files: Files, filters: Filters, field: str = "id", **options: Any) -> list[Any]:
    return [each[field] for page in pages(files, filters, **options) for each in page.documents]


IDS = [1, 2.5, Int64(3), "text", {"a": 1}, b"\x01\x02", ObjectId(), True, False, DAY, None]


@pytest.mark.parametrize("per_page", [1, 3, 100])
def test_ids_of_every_type_are_walked_over(files: Files, per_page: int) -> None:
    add(files, *({"_id": id} for id in IDS))
    inorder = [each["_id"] for each in files.find({}, {"_id": 1}).sort("_id", 1)]
    assert walk(files, Filters(order="oldest"), per_page=per_page) == inorder
    assert walk(files, Filters(order="newest"), per_page=per_page) == inorder[::-1]


@pytest.mark.parametrize("per_page", [1, 2, 3, 7, 100])
def test_names_that_repeat_or_are_none_are_walked_over(files: Files, per_page: int) -> None:
    later = DAY + dt.timedelta(days=1)
    add(
        files,
        *({"_id": f"none{n}", "filename": None} for n in range(5)),
        *({"_id": f"same{n}", "filename": "b"} for n in range(8)),
        {"_id": "later", "filename": "b", "uploadDate": later},
        {"_id": "odd", "filename": 7, "uploadDate": "yesterday"},
        {"_id": "z", "filename": "z"},
    )
    found = walk(files, Filters(order="name"), per_page=per_page)
    assert len(found) == len(set(found)) == 16
    assert set(found[:5]) == {f"none{n}" for n in range(5)}
    assert found[5] == "odd"
    assert set(found[6:14]) == {f"same{n}" for n in range(8)}
    assert found[14:] == ["later", "z"]


@pytest.mark.parametrize("order", ["newest", "oldest", "name"])
def test_ids_and_names_too_long_for_a_link(files: Files, order: Any) -> None:
    """A page that ends with one begins its successor's link at one before it, or at its own."""
    add(
        files,
        *({"_id": n, "filename": f"n{n}"} for n in range(3)),
        *({"_id": f"{n}" + "x" * 5_000, "filename": f"{n}" + "y" * 1_000_000} for n in range(4)),
        {"_id": ObjectId(), "filename": "zz"},
    )
    shown = pages(files, Filters(order=order), per_page=2)
    assert [len(page.documents) for page in shown] == [2, 2, 2, 2]
    ends = [(each["id"], each["filename"][:2]) for page in shown for each in page.documents]
    assert len({str(end) for end in ends}) == 8
    assert all(len(page.next.token) < 2_000 for page in shown if page.next)
    assert max(len(each["filename"]) for page in shown for each in page.documents) == 500


def test_a_page_is_read_from_where_it_begins(files: Files) -> None:
    add(files, *({"_id": n, "filename": f"{n:05}"} for n in range(3_000)))
    for order, at in (("newest", (200,)), ("oldest", (2_800,)), ("name", ("02800", DAY))):
        place = ListPosition(values=at, skip=1)
        files.database.command("profile", 2)
        list_files(
            files,
            Filters(order=order),  # type: ignore[arg-type]
            projection(),
            indexes=ListIndexes(names=True, checksums=False),
            place=place,
        )
        files.database.command("profile", 0)
        (asked,) = files.database["system.profile"].find({"op": "query", "ns": files.full_name})
        assert asked["docsExamined"] <= 102, order
        assert not asked.get("hasSortStage"), order
        files.database["system.profile"].drop()


class TestNames:
    NAMES = ("a", "ab", "ab/1", "ab/2", "ac", "b", "abé", "ab\U0010ffff", "ab\U0010ffffz", "AB")

    @pytest.fixture
    def named(self, files: Files) -> Files:
        add(files, *({"_id": name, "filename": name} for name in self.NAMES))
        add(files, {"_id": 1, "filename": None}, {"_id": 2, "filename": {"a": 1}})
        return files

    @pytest.mark.parametrize(
        "begins", ["a", "ab", "ab/", "ab/1x", "b", "é", "ab\U0010ffff", "\U0010ffff", ".*", "A"]
    )
    def test_beginnings(self, named: Files, begins: str) -> None:
        expected = {name for name in self.NAMES if name.startswith(begins)}
        for per_page in (1, 100):
            found = walk(named, Filters(begins=begins), per_page=per_page)
            assert set(found) == expected
            assert len(found) == len(expected)

    def test_without_the_index_they_are_looked_for_by_id(self, named: Files) -> None:
        named.drop_indexes()
        assert walk(named, Filters(begins="ab"))[::-1] == sorted(
            name for name in self.NAMES if name.startswith("ab")
        )
        assert walk(named, Filters(begins="a.")) == []

    def test_a_partial_index_is_none(self, named: Files) -> None:
        named.drop_indexes()
        named.create_index(list(BY_NAME), partialFilterExpression={"filename": {"$type": "string"}})
        assert len(walk(named, Filters(order="name"))) == 12


@pytest.mark.parametrize(
    ("prefix", "after"),
    [
        ("a", "b"),
        ("a\ud7ff", "a\ue000"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff", {}),
    ],
)
def test_what_is_behind_a_beginning(prefix: str, after: Any) -> None:
    assert after_prefix(prefix) == after


class TestFilters:
    @pytest.fixture
    def varied(self, files: Files) -> Files:
        add(
            files,
            {"_id": "png", "metadata": {"contentType": "image/png", "sha256": "0" * 64}},
            {"_id": "gif", "contentType": "image/gif", "length": Int64(20_000)},
            {"_id": "both", "contentType": "image/gif", "metadata": {"contentType": "text/plain"}},
            {"_id": "none", "metadata": {"contentType": None}, "length": 0.0},
            {"_id": "odd", "metadata": "text", "length": "many"},
            {"_id": "old", "uploadDate": DAY - dt.timedelta(days=9), "length": 10**9},
            {"_id": "like", "metadata": {"contentType": "imageXpng"}},
        )
        return files

    @pytest.mark.parametrize(
        ("asked", "expected"),
        [
            ({"type": "image/"}, {"png", "gif"}),
            ({"type": "image/png"}, {"png"}),
            ({"type": "-"}, {"none", "odd", "old"}),
            ({"type": "image."}, set()),
            ({"size": "empty"}, {"none"}),
            ({"size": "small"}, {"gif"}),
            ({"size": "huge"}, {"old"}),
            ({"size": "nonsense"}, {"png", "gif", "both", "none", "odd", "old", "like"}),
            ({"until": "2026-11-25"}, {"old"}),
            ({"since": "2026-11-18", "until": "2026-11-25"}, set()),
            ({"since": "2026-11-17", "until": "2026-11-17"}, {"old"}),
            ({"since": "2026-11-26", "type": "text/"}, {"both"}),
            ({"q": "0" * 64}, {"png"}),
            ({"q": "F" * 64}, set()),
            ({"since": "2026-13-99", "o": "sideways", "state": "x", "q": "\0"}, None),
        ],
    )
    def test_each(self, varied: Files, asked: dict[str, str], expected: Any) -> None:
        filters = Filters.of(asked)
        for at_once in (1, 2, 50_000, None):
            found = walk(varied, filters, at_once=at_once, per_page=2)
            assert len(found) == len(set(found))
            assert set(found) == (
                expected if expected is not None else set(walk(varied, Filters()))
            )

    def test_a_url_says_the_same_again(self) -> None:
        asked = {"q": "a/b", "type": "image/", "size": "tiny", "since": "2026-01-02", "o": "oldest"}
        filters = Filters.of(asked)
        assert filters.query == asked
        assert Filters.of(filters.query) == filters
        name = Filters.of({"q": "a" * 64, "name": "1"})
        assert (name.begins, name.checksum) == ("a" * 64, "")
        assert Filters.of(name.query) == name

    def test_looking_ends_and_goes_on(self, files: Files) -> None:
        add(files, *({"_id": n, "length": 10 if n % 100 else 0} for n in range(500)))
        found = pages(files, Filters(size="empty"), at_once=150)
        assert [len(page.documents) for page in found] == [1, 2, 1, 1]
        assert [page.looked_at for page in found] == [150, 150, 150, None]

    def test_many_of_one_name_and_date(self, files: Files) -> None:
        add(files, *({"_id": n, "length": n} for n in range(50)))
        found = walk(files, Filters(order="name", size="empty"), at_once=10)
        assert found == [0]

    def test_checksums_by_an_index(self, varied: Files) -> None:
        varied.create_index([("metadata.sha256", 1)])
        varied.database.command("profile", 2)
        assert walk(varied, Filters(checksum="0" * 64)) == ["png"]
        varied.database.command("profile", 0)
        (asked,) = varied.database["system.profile"].find({"op": "query", "ns": varied.full_name})
        assert asked["docsExamined"] == 1


@pytest.mark.parametrize(
    "token",
    ["", "x", "é", "AAAA", "____", ListPosition(values=({"a": 1},), skip=2).token[:-4], "A" * 999],
)
def test_a_place_that_is_none(token: str) -> None:
    assert ListPosition.of(token) is None


def test_a_place_of_another_order_is_the_beginning(files: Files) -> None:
    add(files, {"_id": 1}, {"_id": 2})
    found = list_files(
        files,
        Filters(),
        projection(),
        indexes=ListIndexes(names=True, checksums=False),
        place=ListPosition(values=("a", DAY)),
    )
    assert [each["id"] for each in found.documents] == [2, 1]
