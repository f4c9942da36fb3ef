"""Valid values of the test models' fields, their limits included."""

from __future__ import annotations

import datetime as dt
import string
import uuid
from decimal import Decimal
from typing import Any

from bson import ObjectId
from django.db import models
from hypothesis import provisional
from hypothesis import strategies as st

from tests.schema.apps.mapping import models as app

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SMALL, LONG = 2**31, 2**63
NUMBERS = st.floats(allow_nan=True)
MOMENTS = st.datetimes(
    min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30), timezones=st.just(dt.UTC)
)
WORDS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=50)
LETTERS = st.characters(categories=["L", "N"], include_characters="-_")
JSON = st.recursive(
    st.integers(-LONG, LONG - 1) | st.booleans() | TEXT | st.floats() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
EMAILS = st.emails() | st.sampled_from(
    ['"quoted@x"@example.com', "a@[127.0.0.1]", "b@localhost", "d@exämple.de", "c@пример.рф"]
)
ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(["::ffff:10.0.0.1", "fe80::1", "0.0.0.0"])
URLS = provisional.urls().filter(lambda url: len(url) <= 200) | st.sampled_from(
    ["ftp://user:pw@example.com:21/x", "https://[::1]/", "HTTP://пример.рф/ü?q#f", "https://☃.com"]
)


def text(longest: int, *, least: int = 1) -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=least, max_size=longest)


def integers(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most) | st.sampled_from([least, most])


def decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    most = 10**digits - 1
    return integers(-most, most).map(lambda number: Decimal(f"{number}E-{places}"))


EVERYTHING: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "boolean_null": st.none() | st.booleans(),
    "binary": st.binary(max_size=20),
    "char": text(8),
    "char_blank": text(8, least=0),
    "char_null": st.none() | text(8, least=0),
    "char_column": text(8, least=0),
    "commas": st.just("") | st.from_regex(r"\A\d{1,3}(,\d{1,3}){0,4}\Z"),
    "date": st.dates(),
    "datetime": MOMENTS,
    "decimal": decimals(6, 2),
    "decimal_wide": st.none() | decimals(34, 17),
    "duration": st.timedeltas(dt.timedelta(days=-100_000), dt.timedelta(days=100_000)),
    "email": st.just("") | EMAILS.filter(lambda value: len(value) <= 254),
    "file": text(40, least=0).map(lambda name: name.replace("\0", "")),
    "file_path": st.just(""),
    "float": NUMBERS,
    "ip": ADDRESSES,
    "ipv4": st.none() | st.ip_addresses(v=4).map(str),
    "ipv6": st.none() | st.ip_addresses(v=6).map(str),
    "image_name": text(40),
    "big": integers(-LONG, LONG - 1),
    "integer": integers(-LONG, LONG - 1),
    "positive": integers(0, LONG - 1),
    "positive_big": integers(0, LONG - 1),
    "positive_small": integers(0, SMALL - 1),
    "small": integers(-SMALL, SMALL - 1),
    "json": JSON.filter(lambda value: value not in (None, "", [], {})),
    "json_null": JSON,
    "slug": WORDS,
    "slug_unicode": st.text(LETTERS, max_size=50),
    "text": TEXT,
    "time": st.times(),
    "url": st.just("") | URLS,
    "uuid": st.uuids(),
    "object_id": st.none() | st.binary(min_size=12, max_size=12).map(ObjectId),
    "bson": st.none() | st.integers(0, 9) | st.just({"a": [uuid.UUID(int=1).hex]}),
    "weighed": st.none() | NUMBERS,
    "point": st.none() | st.lists(NUMBERS, max_size=2),
    "slogan": text(5, least=0),
}

RULED: dict[str, st.SearchStrategy[Any]] = {
    "bounded": integers(-5, 5),
    "bounded_float": st.floats(0.5, 1.5),
    "bounded_decimal": st.decimals(Decimal("0.1"), Decimal("999.99"), places=2),
    "bounded_duration": st.timedeltas(dt.timedelta(seconds=1), dt.timedelta(seconds=3)),
    "stepped": st.integers(-1000, 1000).map(lambda n: n * 5) | st.just(5 * 2**58 + 1),
    "stepped_offset": st.integers(-1000, 1000).map(lambda n: n * 5),
    "short": text(9, least=3),
    "short_blank": st.just("") | text(9, least=3),
    "code": st.from_regex(r"\A[A-Z]{2}\d{1,6}$"),
    "not_code": st.text(st.characters(exclude_categories=["Cs", "Nd"])),
    "words": st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1)).map(" ".join)
    | st.integers(1, 3000).map(lambda n: "ab " * n),
    "no_null": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "domain": st.just("") | provisional.domains() | st.just("пример.рф"),
    "picture": st.sampled_from(["", "a.png", "b/c.JPG", "ü.tar.png"]),
    "ascii_domain": st.just("") | provisional.domains(),
    "grade": st.sampled_from(["g", "b"]),
    "grade_blank": st.sampled_from(["g", "b", ""]),
    "grade_null": st.sampled_from(["g", "b", "", None]),
    "number": st.sampled_from([1, 2, 3]),
    "price": st.sampled_from([Decimal("1.5"), Decimal("2")]),
    "day": st.just(dt.date(2024, 2, 29)),
}

_ADDRESS = st.builds(app.Address, street=text(10), number=st.none() | st.integers(0, SMALL - 1))
_PERSON = st.builds(
    app.Person,
    name=text(10),
    address=_ADDRESS,  # The backend refuses a null here, although the field may be null.
    former=st.lists(_ADDRESS, max_size=2),
)
_PET = st.builds(app.Cat, lives=st.integers(-9, 9)) | st.builds(app.Dog, breed=text(5))
_COMMENT = st.builds(
    app.Comment,
    text=text(10),
    answers=st.lists(st.builds(app.Comment, text=text(10)), max_size=2),
)

NESTED: dict[str, st.SearchStrategy[Any]] = {
    "person": _PERSON,
    "maybe": st.none() | _PERSON,
    "people": st.none() | st.lists(_PERSON, max_size=2),
    "pet": _PET,
    "pets": st.none() | st.lists(_PET, max_size=2),
    "tags": st.lists(text(5), min_size=1, max_size=3),
    "pair": st.none() | st.lists(st.integers(-LONG, LONG - 1), min_size=2, max_size=2),
    "few": st.lists(st.none() | NUMBERS, max_size=3),
    "matrix": st.none() | st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), max_size=2),
    "some": st.lists(st.dates(), min_size=1, max_size=3),
    "thread": st.none() | _COMMENT,
}


def instances(
    model: type[models.Model], values: dict[str, st.SearchStrategy[Any]]
) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(values).map(lambda chosen: model(**chosen))
