"""Python's regular expressions on the server: never narrower, and on ASCII the same."""

# ruff: noqa: RUF001 - letters that look alike are what is tested

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import validators
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.collection import Collection

from djongo_services.schema.mapping.characters import literal
from djongo_services.schema.mapping.patterns import SAFE_LENGTH, Untranslatable, translate

SOURCES: list[tuple[str, int]] = [
    (r"^[-\w]+\Z", 0),
    (r"^\d{2,3}(?:,\d+)*$", 0),
    (r"^[^\d\s]+$", 0),
    (r"\bfoo\b|\Bx", 0),
    (r"^a.c$", re.DOTALL),
    (r"^a.c$", re.MULTILINE),
    (r"^(?i:ab|[k-s])+$", 0),
    (r"^[^a-k]+$", re.IGNORECASE),
    (r"^(?!.*\d)(?=.{1,4}$)\w+", 0),
    (r"(?<=a)b|(?<!\w)c", 0),
    (r"^\W+$", re.ASCII),
    (r"^[é-ü]$", re.IGNORECASE),
    (r"(?x) a  # a comment", 0),
    (r"^x*?y{2}$", 0),
    (r"^[\]\\^-]+$", 0),
    (r"^(?:a|bc?|)+$", 0),
    (re.compile(validators.URLValidator.regex).pattern, re.IGNORECASE),
]
ALPHABET = st.text(
    st.sampled_from("abcfoxykKsS019_- ,.\n\r\t\0]\\^éÜſKİı日٣\u00a0\u2028\x1c😀")
    | st.characters(exclude_categories=["Cs"]),
    max_size=8,
)
on_server = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def texts(mongodb_server: Any) -> Iterator[Collection[dict[str, Any]]]:
    with mongodb_server.client() as client:
        yield client["test_mapping_patterns"]["texts"]
        client.drop_database("test_mapping_patterns")


def matching(texts: Collection[dict[str, Any]], strings: list[str], pattern: str) -> set[str]:
    texts.drop()
    texts.insert_many([{"text": string} for string in strings])
    schema = {"properties": {"text": {"pattern": pattern}}}
    return {found["text"] for found in texts.find({"$jsonSchema": schema})}


@pytest.mark.parametrize(("source", "flags"), SOURCES)
@on_server
@given(strings=st.lists(ALPHABET, min_size=20, max_size=40))
def test_the_server_agrees(
    texts: Collection[dict[str, Any]], source: str, flags: int, strings: list[str]
) -> None:
    python = {string for string in strings if re.search(source, string, flags)}
    wide = matching(texts, strings, translate(source, flags).text)
    narrow = matching(texts, strings, translate(source, flags, wide=False).text)
    assert narrow <= python <= wide
    assert all(not string.isascii() for string in wide - narrow)


@on_server
@given(
    source=st.from_regex(r"\A(\[\^?[a-z0-9é-]{1,5}\]|\\[wWdDsSbB]|[ab.|^$]|\(a?\)|a[*+?]){1,6}\Z")
)
def test_any_expression(texts: Collection[dict[str, Any]], source: str) -> None:
    strings = ["", "a", "b", "ab", "ba\n", "a b", "0", "é", "aé", "日a", "-", "\n", "a\x1c", "٣"]
    try:
        regex = re.compile(source)
    except re.error:
        return
    python = {string for string in strings if regex.search(string)}
    wide = matching(texts, strings, translate(source).text)
    assert python <= wide
    # Whether \\B is in an empty string depends on Python's version.
    assert all(not string.isascii() for string in wide - python - {""})


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (r"(a)\1", "a back-reference"),
        (r"(a)?(?(1)b|c)", "a condition"),
        (r"(?>a)b", "an atomic group"),
        (r"a++", "a possessive repetition"),
        (r"(?:ab){70000}", "more often"),
        ("\ud800", "lone surrogates"),
        ("日" * 2000, "too long"),
    ],
)
def test_what_the_server_may_read_differently(source: str, reason: str) -> None:
    with pytest.raises(Untranslatable, match=reason):
        translate(source)


def test_every_character_that_equals_an_ascii_one_is_known() -> None:
    foreign = map(chr, range(0x80, 0x110000))
    equal = {one for one in foreign if re.match("[\0-\x7f]", one, re.IGNORECASE)}
    known = "".join(
        translate(letter, re.IGNORECASE).text for letter in "abcdefghijklmnopqrstuvwxyz"
    )
    assert {rf"\x{{{ord(one):x}}}" for one in equal} == set(re.findall(r"\\x\{\w+\}", known))
    assert literal(ord("a")).ignoring_case(ascii_only=True).ascii == frozenset(map(ord, "aA"))


def test_the_safe_length_is_safe(matrix_database: Any) -> None:
    """A match that recurses too deeply counts as none; nested groups recurse the most."""
    text = ("ab" * SAFE_LENGTH)[:SAFE_LENGTH]
    for source in (r"^((((a|b)|c)?d?)+)*$", r"^(?:(?:a|b)+,?)*$", r"^(a|b)*c?$"):
        found = translate(source)
        assert found.repeats_groups
        assert matching(matrix_database["texts"], [text], found.text) == {text}
    assert matching(matrix_database["texts"], ["ab" * 20_000], translate(r"^(a|b)*$").text) == set()
