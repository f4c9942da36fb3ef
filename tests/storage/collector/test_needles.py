"""Texts that mean a file, and texts that mean another file or none."""

from __future__ import annotations

import unicodedata
import uuid

import bson
import pytest
from bson import Binary, ObjectId

from djongo_services.storage.collector.references.needles import Needles
from djongo_services.storage.collector.references.sources import Naming, Sought

LOCATIONS = Naming(prefixes=("media/", "covers/"))


def is_meant(name: str, text: str, naming: Naming = LOCATIONS) -> bool:
    needles = Needles([Sought(key=(1,), id=None, names=(name,))], naming)
    in_text, in_bson = needles.in_text(text), needles.in_bson(bson.encode({"": {"a": [text]}}))
    assert in_text == in_bson
    return bool(in_text)


@pytest.mark.parametrize(
    "text",
    [
        "docs/a.txt",
        "docs//a.txt",
        "./docs/a.txt",
        "docs/./a.txt",
        "docs\\a.txt",
        "docs\\\\a.txt",
        "/docs/a.txt",
        "../docs/a.txt",
        "media/docs/a.txt",
        "/files/docs/a.txt",
        "https://files.example/anything/docs/a.txt?version=3#page=2",
        "DOCS/A.TXT",
        "docs/%61.txt",
        "d%6Fcs%2Fa.txt",
        "a.txt",
        "See (docs/a.txt).",
        "docs/a.txt, docs/b.txt",
        '<a href="/media/docs/a.txt">it</a>',
        "<img src=/media/docs/a.txt>",
        "docs&#x2F;a.txt",
        '{"files": ["docs\\/a.txt"]}',
        "first line\\ndocs/a.txt",
        "url(/docs/a.txt)",
        "_docs/a.txt_",
        "docs/b.txt docs/a.txt",
    ],
)
def test_texts_that_mean_a_file(text):
    assert is_meant("media/docs/a.txt", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "docs/b.txt",
        "letters/a.txt",
        "/media/letters/a.txt",
        "docs/aa.txt",
        "docs/a.txt.bak",
        "docs/a_txt",
        "docs/a",
        "otherdocs/a.txt",
        "a text",
    ],
)
def test_texts_that_mean_another_file_or_none(text):
    assert not is_meant("media/docs/a.txt", text)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_the_forms_of_unicode(form, written):
    name = unicodedata.normalize(form, "médias/Übersicht 1é.pdf")
    text = unicodedata.normalize(written, "/files/médias/übersicht 1é.pdf")
    assert is_meant(f"media/{name}", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("my file (1).pdf", "see /media/my%20file%20(1).pdf there"),
        ("my file (1).pdf", "see my file (1).pdf"),
        ("Déjà vu.pdf", '{"file": "D\\u00e9j\\u00e0 vu.pdf"}'),
        ("😀.png", '{"file": "\\ud83d\\ude00.png"}'),
        ("a&b.png", "<img src='a&amp;b.png'>"),
        ("100%.png", "100%.png"),
        ("logo@2x.png", 'srcset="/media/logo@2x.png 2x"'),
        ("报告.pdf", "/media/报告.pdf"),
    ],
)
def test_unusual_names(name, text):
    assert is_meant(f"media/{name}", text)
    assert not is_meant(f"media/{name}", text.replace(".p", ".x"))


@pytest.mark.parametrize(
    ("text", "is_name"),
    [
        ("a", True),
        ("media/a", True),
        ('["b", "a"]', True),
        ("b\0a", True),
        ("a cat", False),
        ("b a", False),
        ("abc", False),
    ],
)
def test_a_word_without_a_dot_is_a_name_where_it_stands_alone(text, is_name):
    needles = Needles([Sought(key=(1,), id=None, names=("media/a",))], LOCATIONS)
    assert bool(needles.in_text(text)) is is_name


def test_a_long_word_is_a_name_anywhere():
    assert is_meant("media/4f6d1c7be2a94a30", "the 4f6d1c7be2a94a30 of yesterday")


def test_a_storage_that_nothing_knows_may_have_a_location_of_its_own():
    assert is_meant("tenants/3/docs/a.txt", "docs/a.txt")
    assert is_meant("tenants/3/a.txt", "a.txt")
    assert not is_meant("tenants/3/docs/a.txt", "tenants/4/docs/a.txt")


def test_a_name_without_a_word_counts_as_meant():
    needles = Needles([Sought(key=(1,), id=None, names=("media/###",))], LOCATIONS)
    assert needles.unsearchable == {(1,)}


def test_many_files_of_one_last_part_are_told_apart():
    names = [f"media/{n}/index.html" for n in range(500)]
    needles = Needles(
        [Sought(key=(n,), id=None, names=(name,)) for n, name in enumerate(names)], LOCATIONS
    )
    assert needles.in_text("/media/7/index.html and 12/index.html") == {(7,), (12,)}
    needles.forget({(7,)})
    assert needles.in_text("/media/7/index.html and 12/index.html") == {(12,)}


class TestIds:
    @pytest.mark.parametrize(
        ("id", "text"),
        [
            (ObjectId("5" * 24), "at /api/files/555555555555555555555555/raw"),
            (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
            (uuid.UUID(int=7), "00000000000000000000000000000007"),
            (Binary.from_uuid(uuid.UUID(int=7)), "00000000-0000-0000-0000-000000000007"),
            ("report-2024.pdf", "see report-2024.pdf"),
        ],
    )
    def test_in_texts(self, id, text):
        needles = Needles([Sought(key=(1,), id=id, names=())], LOCATIONS)
        assert needles.in_text(text) == {(1,)}
        assert needles.in_text("something else 6") == set()

    @pytest.mark.parametrize("id", [ObjectId("0" * 24), Binary.from_uuid(uuid.UUID(int=7))])
    def test_in_documents(self, id):
        needles = Needles([Sought(key=(1,), id=id, names=())], LOCATIONS)
        noise = {"a": b"\x07\x00\x05", "b": ObjectId(), "c": 7.5}
        assert needles.in_bson(bson.encode({**noise, "files": [{"of": id}]})) == {(1,)}
        assert needles.in_bson(bson.encode(noise)) == set()

    def test_others_are_not_looked_for(self):
        assert not Needles([Sought(key=(1,), id=17, names=())], LOCATIONS)
