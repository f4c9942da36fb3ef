"""The Range header, by the examples and rules of RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djongo_services.storage.serving.byteranges import GAP, MAX_RANGES, ByteRange, wanted_ranges

SIZE = 10_000


def asked(header: str, size: int = SIZE) -> list[tuple[int, int]] | None:
    found = wanted_ranges(header, size)
    return None if found is None else [(each.start, each.stop) for each in found]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-499", [(0, 500)]),
        ("bytes=500-999", [(500, 1000)]),
        ("bytes=-500", [(9500, 10_000)]),
        ("bytes=9500-", [(9500, 10_000)]),
        ("bytes=0-0,-1", [(0, 1), (9999, 10_000)]),
        ("bytes= 0-999, 4500-5499, -1000", [(0, 1000), (4500, 5500), (9000, 10_000)]),
        ("bytes=500-600,601-999", [(500, 1000)]),
        ("bytes=500-700,601-999", [(500, 1000)]),
        ("Bytes=0-9", [(0, 10)]),
        ("bytes=,0-9,,\t20000-,", [(0, 10)]),
        ("bytes=9990-20000", [(9990, 10_000)]),
        ("bytes=-20000", [(0, 10_000)]),
        ("bytes=0-" + "9" * 5_000, [(0, 10_000)]),
        ("bytes=00000000000000000000000005-5", [(5, 6)]),
    ],
)
def test_what_is_asked(header: str, expected: list[tuple[int, int]]) -> None:
    assert asked(header) == expected


@pytest.mark.parametrize(
    "header", ["bytes=10000-", "bytes=10000-10000,-0", "bytes=-0", "bytes=" + "9" * 5_000 + "-"]
)
def test_nothing_of_it_is_in_the_file(header: str) -> None:
    assert asked(header) == []


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=a-b",
        "bytes=5",
        "bytes=5-4",
        "bytes=0-4,9-8",
        "bytes=0 - 4",
        "bytes=+0-4",
        "bytes=-+4",
        "bytes=0x0-4",
        "bytes=0-4-5",
        "bytes=--5",
        "bytes=0.0-4",
        "bytes=\u0660-\u0664",
        "bytes =0-4",
        "bytes:0-4",
        "bytes=0-4;5-9",
        "lines=0-4",
        "bytes=0-4\x00",
    ],
)
def test_what_is_no_range_is_ignored(header: str) -> None:
    assert asked(header) is None


def test_an_empty_file_has_no_ranges() -> None:
    assert [asked(header, 0) for header in ("bytes=0-", "bytes=-5", "bytes=-0")] == [None] * 3


def test_ten_thousand_ranges_are_ignored() -> None:
    assert asked("bytes=" + ",".join(f"{at}-{at}" for at in range(10_000))) is None
    assert asked("bytes=" + "," * 10_000) is None
    most = ",".join(f"{at * 150}-{at * 150}" for at in range(MAX_RANGES))
    assert len(asked("bytes=" + most) or []) == MAX_RANGES
    assert asked("bytes=" + most + ",9999-9999") is None


def test_overlapping_ranges_are_one() -> None:
    assert asked("bytes=0-,0-,0-,0-,0-,0-") == [(0, SIZE)]
    assert asked("bytes=5000-5999,100-199,5500-6999,-10") == [
        (5000, 7000),
        (100, 200),
        (9990, SIZE),
    ]


def test_ranges_that_nearly_touch_are_one() -> None:
    assert asked(f"bytes=0-9,{10 + GAP}-{11 + GAP}") == [(0, 12 + GAP)]
    assert asked(f"bytes=0-9,{11 + GAP}-{11 + GAP}") == [(0, 10), (11 + GAP, 12 + GAP)]


def test_content_range() -> None:
    assert ByteRange(start=500, stop=1000).content_range(1234) == "bytes 500-999/1234"


bounds = st.integers(0, 300)
specs = st.one_of(
    st.builds(lambda first, more: f"{first}-{first + more}", bounds, bounds),
    st.builds(lambda first: f"{first}-", bounds),
    st.builds(lambda length: f"-{length}", bounds),
)


@given(st.lists(specs, min_size=1, max_size=8), st.integers(1, 250))
def test_every_wanted_byte_is_sent_and_none_twice(written: list[str], size: int) -> None:
    wanted: set[int] = set()
    for spec in written:
        first, _, last = spec.partition("-")
        if not first:
            wanted.update(range(max(0, size - int(last)), size))
        else:
            wanted.update(range(int(first), min(int(last or size) + 1, size)))
    found = wanted_ranges("bytes=" + ",".join(written), size)
    assert found is not None
    sent = [at for each in found for at in range(each.start, each.stop)]
    assert len(sent) == len(set(sent))
    assert wanted <= set(sent) <= set(range(size))
    assert bool(sent) == bool(wanted)


@given(st.text(max_size=40), st.integers(0, 50))
def test_any_header_is_understood_or_ignored(text: str, size: int) -> None:
    for header in (text, "bytes=" + text):
        for each in wanted_ranges(header, size) or []:
            assert 0 <= each.start < each.stop <= size
