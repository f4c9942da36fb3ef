"""The Documents tab: pages of documents by their _id, filters, one document."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Timestamp,
)
from bson.raw_bson import RawBSONDocument

from tests.admin.conftest import Page, Site
from tests.admin.markup import check_inert


def raw(kind: int, data: bytes) -> RawBSONDocument:
    """A document whose ``_id`` is these bytes, for what Python has no type."""
    body = bytes([kind]) + b"_id\0" + data + b"\0"
    return RawBSONDocument((len(body) + 4).to_bytes(4, "little") + body)


def text(value: bytes) -> bytes:
    return struct.pack("<i", len(value) + 1) + value + b"\0"


IDS: list[Any] = [
    MinKey(),
    None,
    math.nan,
    -math.inf,
    -5,
    Int64(2**60),
    1.5,
    Decimal128("2.5"),
    math.inf,
    "",
    "a",
    "$where",
    "z" * 3_000,
    "<script>alert(1)</script>",
    {},
    {"a.b": 1, "": 2},
    {"a": {"b": 1}},
    DBRef("a", 1),
    b"",
    Binary(b"x" * 16, 4),
    Binary(b"x" * 16, 3),
    Binary(b"x", 128),
    ObjectId("0" * 24),
    ObjectId("f" * 24),
    False,
    True,
    DatetimeMS(-(2**62)),
    DatetimeMS(0),
    DatetimeMS(2**62),
    Timestamp(1, 2),
    Timestamp(2, 1),
    Code("a"),
    Code("a", {"x": 1}),
    MaxKey(),
]
RAW_IDS = [
    raw(0x0E, text(b"symbol")),
    raw(0x02, text(b"\xff\xfe")),
    raw(0x0C, text(b"db.c") + b"a" * 12),
    raw(0x0C, text(b"db.c") + b"b" * 12),
]


@pytest.fixture
def every(root: Site) -> list[bytes]:
    """Documents with an _id of each type, in the server's order: their keys."""
    from djongo_services.admin.documents.paging import Reading, read_page

    database = root.database
    database.every.insert_many([{"_id": one} for one in IDS])
    for one in RAW_IDS:
        database.every.insert_one(one)
    found = read_page(database, "every", Reading(query={}, size=100))
    return [row.key.bson for row in found.rows]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_paging_reaches_every_document_once(root: Site, every: list[bytes], size: int) -> None:
    from djongo_services.admin.documents.paging import Reading, read_page

    database = root.database
    assert len(set(every)) == len(IDS) + len(RAW_IDS)
    reading = Reading(query={}, size=size)
    there: list[bytes] = []
    page = read_page(database, "every", reading)
    while True:
        there += [row.key.bson for row in page.rows]
        if not page.has_after:
            break
        page = read_page(database, "every", reading, start=page.rows[-1].key)
    assert there == every
    back: list[bytes] = [row.key.bson for row in page.rows]
    while page.has_before:
        page = read_page(database, "every", reading, start=page.rows[0].key, way="before")
        if page.has_before:
            back = [row.key.bson for row in page.rows] + back
    # The first page is a whole one, so it may show again what the one behind it has shown.
    first = [row.key.bson for row in page.rows]
    assert [*first, *[one for one in back if one not in first]] == every


def test_every_key_goes_through_an_address(every: list[bytes]) -> None:
    from djongo_services.admin.documents.keys import DocumentId

    for bson in every:
        key = DocumentId(bson)
        for is_sealed in (False, True):
            token = key.text(is_sealed=is_sealed, context="c")
            assert re.fullmatch(r"~?[A-Za-z0-9_-]*", token)
            assert DocumentId.parse(token, context="c") == (key, is_sealed)


def documents(site: Site, name: str = "notes", **query: Any) -> Page:
    return site.get(site.collection(name, "documents"), **query)


def shown(page: Page) -> list[str]:
    """The ids on the page."""
    found = re.findall(r"(?s)<article.*?<h3>(.*?)</h3>", page.html)
    return [re.sub(r"<[^>]*>", "", one).strip().replace("&quot;", '"') for one in found]


@pytest.fixture
def notes(root: Site) -> Any:
    notes = root.database.notes
    notes.insert_many([{"_id": n, "n": n, "name": f"note {n:02}"} for n in range(45)])
    return notes


def test_a_reader_turns_pages(root: Site, notes: Any) -> None:
    page = documents(root)
    assert page.status == 200
    assert shown(page) == [str(n) for n in range(20)]
    assert "Previous page" not in page.text
    second = root.get(root.collection("notes", "documents") + page.link("Next page"))
    assert shown(second) == [str(n) for n in range(20, 40)]
    third = root.get(root.collection("notes", "documents") + second.link("Next page"))
    assert shown(third) == [str(n) for n in range(40, 45)]
    assert "Next page" not in third.html
    back = root.get(root.collection("notes", "documents") + third.link("Previous page"))
    assert shown(back) == shown(second)
    # What is written or removed meanwhile moves no page.
    notes.delete_many({"_id": {"$in": [3, 21]}})
    notes.insert_one({"_id": -1})
    again = root.get(root.collection("notes", "documents") + second.link("Next page"))
    assert shown(again) == shown(third)


VALUES: list[dict[str, Any]] = [
    {"_id": "string", "v": "ab"},
    {"_id": "dollar", "v": "$where"},
    {"_id": "long", "v": Int64(5)},
    {"_id": "double", "v": 5.5},
    {"_id": "decimal", "v": Decimal128("7.25")},
    {"_id": "date", "v": DatetimeMS(1_764_460_800_000)},
    {"_id": "objectId", "v": ObjectId("a" * 24)},
    {"_id": "true", "v": True},
    {"_id": "null", "v": None},
    {"_id": "missing"},
    {"_id": "uuid", "v": Binary(bytes(range(16)), 4)},
    {"_id": "old uuid", "v": Binary(bytes(range(16)), 3)},
    {"_id": "array", "v": ["ab", 9]},
    {"_id": "inner", "v": {"w": "x.y"}},
]
FILTERS: list[tuple[str, str, str, str, set[str]]] = [
    ("v", "eq", "string", "ab", {"string", "array"}),
    ("v", "eq", "string", "$where", {"dollar"}),
    ("v", "eq", "string", '{"$ne": 1}', set()),
    ("v", "gt", "number", "5", {"double", "decimal", "array"}),
    ("v", "gte", "number", "5", {"long", "double", "decimal", "array"}),
    ("v", "lt", "number", "5.5", {"long"}),
    ("v", "lte", "number", "5.5", {"long", "double"}),
    ("v", "eq", "decimal", "7.25", {"decimal"}),
    ("v", "eq", "date", "2025-11-30", {"date"}),
    ("v", "gt", "date", "2025-11-29T23:59:59Z", {"date"}),
    ("v", "eq", "objectId", "a" * 24, {"objectId"}),
    ("v", "eq", "bool", "true", {"true"}),
    ("v", "eq", "null", "", {"null", "missing"}),
    ("v", "eq", "uuid", "00010203-0405-0607-0809-0a0b0c0d0e0f", {"uuid", "old uuid"}),
    ("v", "in", "string", 'ab, "x, y", $where', {"string", "array", "dollar"}),
    ("v", "in", "number", "5,9", {"long", "array"}),
    ("v", "missing", "string", "", {"missing"}),
    ("v.w", "exists", "string", "", {"inner"}),
    ("v", "type", "string", "object", {"inner"}),
    ("v", "type", "string", "number", {"long", "double", "decimal", "array"}),
    ("v", "begins", "string", "a", {"string", "array"}),
    ("v", "begins", "string", "$w", {"dollar"}),
    ("v", "begins", "string", ".*", set()),
    ("v.w", "begins", "string", "x.", {"inner"}),
    ("v[].w", "begins", "string", "x.", {"inner"}),
]


@pytest.mark.parametrize(("path", "operator", "kind", "value", "expected"), FILTERS)
def test_filters(
    root: Site, path: str, operator: str, kind: str, value: str, expected: set[str]
) -> None:
    root.database.notes.insert_many(VALUES)
    page = documents(root, f=path, o=operator, t=kind, v=value, n="50")
    assert {one.strip('"') for one in shown(page)} == expected
    if operator == "eq":
        other = documents(root, f=path, o="ne", t=kind, v=value, n="50")
        everything = {one["_id"] for one in VALUES}
        assert {one.strip('"') for one in shown(other)} == everything - expected


def test_several_filters_and_a_count(root: Site, notes: Any) -> None:
    query: dict[str, Any] = {
        "f": ["n", "name"],
        "o": ["gte", "begins"],
        "t": ["number", "string"],
        "v": ["5", "note 1"],
    }
    page = documents(root, **query)
    assert shown(page) == [str(n) for n in range(10, 20)]
    counted = root.get(root.collection("notes", "documents") + page.link("Count them"))
    assert "10 documents match." in counted.text
    assert shown(counted) == shown(page)


def test_filters_are_kept_from_page_to_page(root: Site, notes: Any) -> None:
    page = documents(root, f="n", o="gte", t="number", v="5", fields="name")
    second = root.get(root.collection("notes", "documents") + page.link("Next page"))
    assert shown(second) == [str(n) for n in range(25, 45)]
    assert "note 25" in second.text
    assert 'title="n"' not in second.html


WRONG = [
    ("number", "twelve", "is not a number"),
    ("number", "0x10", "is not a number"),
    ("number", "1_000", "is not a number"),
    ("number", str(2**64), "choose the type Decimal128"),
    ("date", "yesterday", "is not a date"),
    ("date", "2026-02-31", "is not a date"),
    ("objectId", "xyz", "is not an ObjectId"),
    ("bool", "yes", "is not a boolean"),
    ("decimal", "1" * 40, "is not a Decimal128"),
    ("uuid", "1234", "is not a UUID"),
    ("nothing", "1", "Choose one of the types"),
]


@pytest.mark.parametrize(("kind", "value", "sentence"), WRONG)
def test_a_bad_value_gets_a_sentence(
    root: Site, notes: Any, kind: str, value: str, sentence: str
) -> None:
    page = documents(root, f="n", o="eq", t=kind, v=value)
    assert page.status == 200
    assert sentence in page.text
    assert shown(page) == []
    assert page.text.count(sentence) == 1


@pytest.mark.parametrize(
    "path", ["$where", "$expr", "a.$b", "a..b", "a.", r"a\.b", r"\e", "a\0b", "x" * 9_000]
)
def test_a_field_that_no_filter_reaches(root: Site, notes: Any, path: str) -> None:
    for query in ({"f": path, "o": "eq", "t": "string", "v": "1"}, {"fields": path}):
        page = documents(root, **query)
        assert page.status == 200
        assert shown(page) == []
        assert 'role="alert"' in page.html


def test_operators_and_types_that_there_are_not(root: Site, notes: Any) -> None:
    page = documents(root, f="n", o="$where", t="string", v="1")
    assert "Choose one of the operators" in page.text
    page = documents(root, f="n", o="type", t="string", v="text")
    assert "There is no BSON type" in page.text
    page = documents(root, f="n", o="begins", t="string", v="")
    assert "Enter the text that" in page.text
    page = documents(root, f="n", o="in", t="string", v='"a')
    assert "Separate the values with commas" in page.text


def test_projection(root: Site) -> None:
    root.database.notes.insert_one({"_id": 1, "a": {"b": 1, "c": 2}, "d": 3})
    page = documents(root, fields="a.b, a.b.x, d")
    assert "a object, 1 field b 1 int d 3 int" in page.text


class TestFreeQueries:
    def test_with_permission(self, root: Site, notes: Any) -> None:
        page = documents(root, query='{"n": {"$in": [{"$numberInt": "3"}, 4]}}')
        assert shown(page) == ["3", "4"]
        page = documents(root, query='{"name": {"$regex": "1$", "$ne": "note 01"}}', f="n", v="")
        assert "not" in page.text

    def test_regex_keeps_what_is_beside_it(self, root: Site, notes: Any) -> None:
        page = documents(root, query='{"name": {"$regex": "1$", "$ne": "note 01"}}')
        assert shown(page) == ["11", "21", "31", "41"]

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("{", "is not JSON"),
            ("[" * 100_000, "too long"),
            ("[" * 9_000, "is not JSON"),
            ("[1]", "must be an object"),
            ('{"$where": "1"}', "runs scripts"),
            ('{"a": {"$not": {"$where": "1"}}}', "runs scripts"),
            ('{"$expr": {"$function": {"body": "", "args": [], "lang": "js"}}}', "runs scripts"),
            ('{"a": {"$oid": "1"}}', "correct it"),
            ('{"a": ' * 90 + "1" + "}" * 90, "nested too deeply"),
            ('{"$oid": "aaaaaaaaaaaaaaaaaaaaaaaa"}', "must be an object"),
            ('{"a": 99999999999999999999}', "too large"),
            ('{"$nothing": 1}', "unknown"),
        ],
    )
    def test_what_is_wrong_is_said(self, root: Site, notes: Any, query: str, sentence: str) -> None:
        page = documents(root, query=query)
        assert page.status == 200
        assert sentence in page.text
        assert shown(page) == []

    @pytest.mark.parametrize("permissions", [(), ("query_documents",), ("view_secrets",)])
    def test_without(self, site: Site, notes: Any, permissions: tuple[str, ...]) -> None:
        site.login("view_collection", "view_documents", *permissions)
        page = documents(site, query='{"n": 3}')
        assert "You do not have permission to write queries" in page.text
        assert shown(page) == []
        assert "<textarea" not in page.html


class TestSecrets:
    """A user who may see documents sees no secret in them, and cannot find one out."""

    HASH = "pbkdf2_sha256$1000000$abc$def"

    @pytest.fixture
    def users(self, site: Site) -> Any:
        users = site.database.users
        users.insert_one({"_id": 1, "name": "Ann", "password": self.HASH, "old": [self.HASH]})
        site.login("view_collection", "view_documents")
        return users

    @pytest.mark.parametrize("show", ["tree", "relaxed", "canonical"])
    def test_hidden_in_every_form(self, site: Site, users: Any, show: str) -> None:
        page = documents(site, "users", show=show)
        assert "Ann" in page.text
        assert "pbkdf2" not in page.html
        one = site.get(page.link("1"), show=show)
        one = site.get(site.collection("users", "document"), id=one_id(page), show=show)
        assert "Ann" in one.text
        assert "pbkdf2" not in one.html
        if show != "tree":
            whole = site.get(site.collection("users", "download"), id=one_id(page), show=show)
            assert whole.headers["Content-Disposition"].startswith("attachment")
            assert "Ann" in whole.html
            assert "pbkdf2" not in whole.html

    def test_shown_with_permission(self, site: Site, users: Any) -> None:
        site.login("view_collection", "view_documents", "view_secrets")
        assert self.HASH in documents(site, "users").text

    @pytest.mark.parametrize("path", ["password", "password.0", "inner.api_key", "tokens[].value"])
    def test_no_filter_finds_one_out(self, site: Site, users: Any, path: str) -> None:
        page = documents(site, "users", f=path, o="begins", t="string", v="pbkdf2")
        assert "is hidden from you, so you cannot filter by it" in page.text
        assert shown(page) == []
        site.login("view_collection", "view_documents", "view_secrets")
        page = documents(site, "users", f="password", o="begins", t="string", v="pbkdf2")
        assert shown(page) == ["1"]

    def test_an_id_that_is_a_secret(self, site: Site) -> None:
        """No address reveals it, and no guessed address does either."""
        keys = [f"{n:02}" + "abcdefghij" * 3 for n in range(25)]
        sessions = site.database.sessions
        sessions.insert_many([{"_id": key, "n": n} for n, key in enumerate(keys)])
        site.login("view_collection", "view_documents")
        page = documents(site, "sessions")
        assert shown(page) == ["(hidden)"] * 20
        for key in keys:
            assert key not in page.html
            assert encoded(key) not in page.html
        second = site.get(site.collection("sessions", "documents") + page.link("Next page"))
        assert len(shown(second)) == 5
        one = site.get(page.link("(hidden)"))
        assert "n 0 int" in one.text
        assert keys[0] not in one.html
        for way in ("after", "before"):
            made_up = documents(site, "sessions", **{way: encoded("01a")})
            assert made_up.status == 404
        assert site.get(site.collection("sessions", "document"), id=encoded(keys[0])).status == 404
        filtered = documents(site, "sessions", f="_id", o="begins", t="string", v="01a")
        assert "hidden from you" in filtered.text
        # A sealed address of one collection is none of another.
        site.database.users.insert_one({"_id": keys[0]})
        token = page.link("(hidden)").partition("id=")[2]
        assert site.get(site.collection("users", "document"), id=token).status == 404
        site.login("view_collection", "view_documents", "view_secrets")
        assert keys[0] in documents(site, "sessions").text


def encoded(value: Any) -> str:
    from djongo_services.admin.documents.keys import DocumentId

    return DocumentId.of_value(value).text()


def one_id(page: Page) -> str:
    found = re.search(r"\?id=([^\"&]+)", page.html)
    return found[1]


class TestPermissions:
    USERS = {
        (): False,
        ("view_collection",): False,
        ("view_collection", "change_collection", "delete_collection"): False,
        ("view_documents",): False,
        ("view_documents", "view_secrets", "query_documents"): False,
        ("view_collection", "view_secrets", "query_documents"): False,
        ("view_collection", "view_documents"): True,
    }

    @pytest.mark.parametrize("permissions", USERS)
    def test_who_sees_documents(self, site: Site, permissions: tuple[str, ...]) -> None:
        site.database.notes.insert_one({"_id": 1, "a": "there"})
        site.login(*permissions)
        visits = [
            documents(site),
            site.get(site.collection("notes", "document"), id=encoded(1)),
            site.get(site.collection("notes", "download"), id=encoded(1)),
            site.post(site.collection("notes", "documents")),
            site.post(site.collection("notes", "document"), id=encoded(1)),
        ]
        allowed = self.USERS[permissions]
        assert [page.status for page in visits] == [200 if allowed else 403] * 5
        assert [("there" in page.html) for page in visits] == [allowed] * 5
        if "view_collection" in permissions:
            tabs = site.get(site.collection("notes"))
            assert ("/documents/" in tabs.html) == allowed

    def test_no_access_without_login(self, site: Site) -> None:
        assert "/login/" in documents(site).location


class TestAnyDocument:
    def test_every_type_of_id_has_a_page(self, root: Site, every: list[bytes]) -> None:
        from djongo_services.admin.documents.keys import DocumentId

        page = documents(root, "every", n="100")
        check_inert(page)
        assert len(shown(page)) == len(every)
        for bson in every:
            token = DocumentId(bson).text()
            ask = root.post if len(token) > 1_200 else root.get
            one = ask(root.collection("every", "document"), id=token)
            check_inert(one)
            whole = ask(root.collection("every", "download"), id=token, show="canonical")
            assert whole.status == 200
        turned = documents(root, "every", n="20")
        while "Next page" in turned.html:
            check_inert(turned)
            turned = root.get(root.collection("every", "documents") + turned.link("Next page"))

    def test_a_long_id_is_sent_by_a_form(self, root: Site) -> None:
        root.database.notes.insert_many([{"_id": "x" * 5_000 + f"{n:02}"} for n in range(25)])
        page = documents(root)
        assert len(shown(page)) == 20
        assert 'rel="next"' not in page.html
        token = re.search(r'name="after" value="([^"]*)"', page.html)[1]
        second = root.post(root.collection("notes", "documents"), after=token)
        assert len(shown(second)) == 5
        one = root.post(root.collection("notes", "document"), id=page.value("id"))
        assert "5,002 characters" in one.text

    def test_an_id_longer_than_any_form(self, root: Site) -> None:
        root.database.notes.insert_many([{"_id": "x" * 2_000_000 + str(n)} for n in range(21)])
        page = documents(root)
        check_inert(page)
        assert "its id is too long for a page of its own" in page.text
        assert "There is no further page" in page.text

    def test_large_documents_are_not_fetched(self, root: Site) -> None:
        root.database.notes.insert_many([{"_id": n, "blob": "x" * 4_000_000} for n in range(5)])
        page = documents(root)
        check_inert(page)
        assert page.text.count("too large for a list") == 5
        assert "4.0 MB" in page.text
        projected = documents(root, fields="other")
        assert "too large" not in projected.text
        one = root.get(root.collection("notes", "document"), id=encoded(0))
        check_inert(one)
        assert "(4,000,000 characters)" in one.text
        assert "download it to see all of it" in one.text
        for show in ("relaxed", "canonical"):
            one = root.get(root.collection("notes", "document"), id=encoded(0), show=show)
            check_inert(one)
            assert "too large to be shown as JSON here" in one.text
        whole = root.get(root.collection("notes", "download"), id=encoded(0))
        assert len(whole.html) > 4_000_000

    def test_long_arrays_and_many_fields_are_cut(self, root: Site) -> None:
        root.database.notes.insert_one(
            {"_id": 1, "items": list(range(100_000)), "map": {f"k{n}": n for n in range(900)}}
        )
        one = root.get(root.collection("notes", "document"), id=encoded(1))
        check_inert(one)
        assert "array, 100,000 items" in one.text
        assert "99,800 more" in one.text
        assert "700 more" in one.text

    def test_deep_nesting(self, root: Site) -> None:
        deep: Any = 1
        for _ in range(178):
            deep = {"a": deep}
        root.database.notes.insert_one({"_id": 1, "d": deep})
        for show in ("tree", "relaxed", "canonical"):
            check_inert(documents(root, show=show))
            check_inert(root.get(root.collection("notes", "document"), id=encoded(1), show=show))
        assert root.get(root.collection("notes", "download"), id=encoded(1)).status == 200

    def test_names_of_every_kind(self, root: Site) -> None:
        from tests.introspection.render_example import HOSTILE

        root.database.notes.insert_one(
            {"_id": 1, **{name: {name: name} for name in HOSTILE if "\0" not in name}, "": {"": 1}}
        )
        for show in ("tree", "relaxed", "canonical"):
            check_inert(documents(root, show=show))
            check_inert(root.get(root.collection("notes", "document"), id=encoded(1), show=show))

    @pytest.mark.parametrize(
        "token", ["", "x", "~", "~AAAA", "AAAA", "Ag", "0" * 23, "=", "\u202e", "A" * 100_000]
    )
    def test_addresses_of_nothing(self, root: Site, notes: Any, token: str) -> None:
        for ask in (root.get, root.post):
            assert ask(root.collection("notes", "document"), id=token).status == 404
            assert ask(root.collection("notes", "download"), id=token).status == 404
        if token:
            assert documents(root, after=token).status == 404
        assert root.get(root.collection("notes", "document"), id=encoded(99)).status == 404


def test_a_page_of_much_text_stays_a_page(root: Site) -> None:
    root.database.notes.insert_many([{"_id": n, "text": "x" * 50_000} for n in range(100)])
    page = documents(root, show="relaxed", n="100")
    check_inert(page)
    assert len(shown(page)) == 100
    assert page.text.count("too large for a list") == 94


class TestOtherSources:
    def test_a_view(self, root: Site, notes: Any) -> None:
        root.database.create_collection(
            "even", viewOn="notes", pipeline=[{"$match": {"n": {"$mod": [2, 0]}}}]
        )
        page = documents(root, "even")
        assert shown(page) == [str(n) for n in range(0, 40, 2)]
        second = root.get(root.collection("even", "documents") + page.link("Next page"))
        assert shown(second) == ["40", "42", "44"]
        back = root.get(root.collection("even", "documents") + second.link("Previous page"))
        assert shown(back) == shown(page)

    def test_a_view_whose_ids_are_of_any_type(self, root: Site) -> None:
        every = [None, 1, "a", {"x": 1}, [1, 2], [3], ObjectId(), True]
        root.database.notes.insert_many([{"_id": n, "key": one} for n, one in enumerate(every)])
        root.database.create_collection(
            "view", viewOn="notes", pipeline=[{"$set": {"_id": "$key"}}]
        )
        from djongo_services.admin.documents.paging import Reading, read_page

        reading = Reading(query={}, size=1, is_indexed=False)
        page, there = read_page(root.database, "view", reading), []
        while True:
            there += [row.document["_id"] for row in page.rows]
            if not page.has_after:
                break
            page = read_page(root.database, "view", reading, start=page.rows[-1].key)
        assert there == every

    def test_a_view_without_ids(self, root: Site, notes: Any) -> None:
        root.database.create_collection("bare", viewOn="notes", pipeline=[{"$unset": "_id"}])
        page = documents(root, "bare")
        assert shown(page) == ["without _id"] * 20
        assert "There is no further page" in page.text

    def test_a_time_series(self, root: Site) -> None:
        series = root.database.create_collection("series", timeseries={"timeField": "at"})
        series.insert_many([{"at": DatetimeMS(n * 1_000), "n": n} for n in range(30)])
        page = documents(root, "series")
        assert len(shown(page)) == 20
        assert "A time series has no index on _id" in page.text
        page = documents(root, "series", f="at", o="gte", t="date", v="1970-01-01T00:00:25Z")
        assert len(shown(page)) == 5

    def test_a_clustered_collection(self, root: Site) -> None:
        clustered = root.database.create_collection(
            "clustered", clusteredIndex={"key": {"_id": 1}, "unique": True}
        )
        clustered.insert_many([{"_id": n} for n in range(30)])
        page = documents(root, "clustered")
        second = root.get(root.collection("clustered", "documents") + page.link("Next page"))
        assert shown(second) == [str(n) for n in range(20, 30)]

    def test_a_collation(self, root: Site) -> None:
        words = root.database.create_collection("words", collation={"locale": "sv"})
        words.insert_many([{"_id": one} for one in ["z", "å", "ä", "ö", "a", "B"]])
        from djongo_services.admin.documents.paging import Reading, read_page

        reading = Reading(query={}, size=2)
        page = read_page(root.database, "words", reading)
        page = read_page(root.database, "words", reading, start=page.rows[-1].key)
        assert [row.key.value for row in page.rows] == ["z", "å"]

    def test_empty_and_missing(self, root: Site) -> None:
        root.database.create_collection("empty")
        assert "There are no documents." in documents(root, "empty").text
        assert "does not exist yet" in documents(root, "books").text
        assert documents(root, "nothing").status == 404


def test_a_search_that_takes_too_long_names_the_index(root: Site, notes: Any, project: Any) -> None:
    project.DJONGO_SERVICES = {**project.DJONGO_SERVICES, "ADMIN": {"TIMEOUT": 4}}
    slow = {"failCommands": ["aggregate"], "blockConnection": True, "blockTimeMS": 5_500}
    admin = root.database.client.admin
    # The first one is for the size of the collection.
    of = {"data": {**slow, "namespace": f"{root.database.name}.notes"}, "mode": {"skip": 1}}

    def ask(**query: str) -> Page:
        admin.command({"configureFailPoint": "failCommand", **of})
        try:
            return documents(root, **query)
        finally:
            admin.command({"configureFailPoint": "failCommand", "mode": "off"})

    page = ask(f="name", o="begins", t="string", v="x")
    assert page.status == 200
    assert "did not answer within" in page.text
    assert "No index begins with name" in page.text
    assert "wait longer" in page.text
    assert page.html.count("wait=1") == 1
    # The link to wait keeps what was asked for.
    assert "v=x" in page.link("Try again, and wait longer")
    notes.create_index("name")
    assert "No index begins with" not in ask(f="name", o="begins", t="string", v="x").text


def test_deep_pages_read_no_more_than_the_first(root: Site) -> None:
    """A key is looked up in the index, whatever lies before it."""
    many = root.database.many
    many.insert_many([{"_id": n} for n in range(5_000)])
    root.database.command("profile", 2)
    try:
        documents(root, "many")
        documents(root, "many", after=encoded(4_900))
        documents(root, "many", before=encoded(4_900))
    finally:
        root.database.command("profile", 0)
    of = {"ns": f"{root.database.name}.many", "command.pipeline.0.$match": {"$exists": True}}
    for one in root.database["system.profile"].find(of):
        assert one["keysExamined"] <= 25
        assert one["docsExamined"] <= 25
