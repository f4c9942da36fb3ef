"""Every text of the package on the pages can be translated."""

from __future__ import annotations

import gettext
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import djongo_services
from tests.admin import catalogues
from tests.admin.conftest import Site

ADMIN = Path(djongo_services.__file__).parent / "admin"
TEMPLATES = Path(djongo_services.__file__).parent / "templates" / "admin" / "djongo_services"
NAMES = ('TRANSACTION["MIDDLEWARE"]', "TRANSACTION", "SHA-256")


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_no_word_stands_outside(path: Path) -> None:
    text = path.read_text("utf-8")
    text = re.sub(r"(?s){% blocktranslate.*?{% endblocktranslate %}", "", text)
    # Names of styles, not words.
    text = re.sub(r"(?s){% block (bodyclass|coltype) %}.*?{% endblock %}", "", text)
    text = re.sub(r"(?s){%.*?%}|{{.*?}}|{#.*?#}", "", text)
    text = re.sub(r"(?s)<[^>]*>|&\w+;", " ", text)
    for name in NAMES:
        text = text.replace(name, "")
    assert re.findall(r"[A-Za-z]{2,}", text) == []


NOT_SHOWN = (
    # Errors that a page turns into "not found", into no preview, or into its own sentence.
    " is not an id.",
    " is not how an id is written.",
    "no document is named so",
    " pixels are too many",
    "This system cannot limit a process.",
    "The decoder ended with ",
    " names no pages",
    # To the author of a worker.
    " is not an order of the admin's pages.",
    "There are no jobs of the kind ",
    # Names: of a phase, of an outcome, of a content type, of HTML.
    "files and chunks",
    "rolled back",
    "text/plain; charset=utf-8",
    'attachment; filename="',
    'attachment; filename="document.json"',
)


@pytest.mark.parametrize("path", sorted(ADMIN.rglob("*.py")), ids=lambda path: path.name)
def test_no_sentence_of_the_code_stands_outside(path: Path) -> None:
    assert [text for text in catalogues.outside(path) if text not in NOT_SHOWN] == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_catalogues_have_the_messages_of_the_package_and_no_others(language: str) -> None:
    """After a change, run ``make messages``."""
    found = {entry.key for entry in catalogues.entries(language)}
    assert sorted(catalogues.asked().keys() - found) == []
    assert sorted(found - catalogues.asked().keys()) == []


def test_german_is_complete() -> None:
    entries = catalogues.entries("de")
    assert len(entries) > 500
    for entry in entries:
        assert not entry.is_fuzzy, entry.key
        assert len(entry.texts) == (2 if entry.key[2] else 1), entry.key
        assert all(text.strip() for text in entry.texts), entry.key


def test_placeholders_and_tags_of_german_agree() -> None:
    for entry in catalogues.entries("de"):
        _, singular, plural = entry.key
        for text, original in zip(entry.texts, (singular, plural), strict=False):
            assert _parts(text) == _parts(original), entry.key


def _parts(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[a-z]|%(?!\()|<[^>]+>", text))


def test_compiled_german_is_up_to_date() -> None:
    path = catalogues.PACKAGE / "locale" / "de" / "LC_MESSAGES" / "django.mo"
    with path.open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in catalogues.entries("de"):
        context, singular, plural = entry.key
        if plural:
            found = tuple(compiled.ngettext(singular, plural, number) for number in (1, 2))
        elif context:
            found = (compiled.pgettext(context, singular),)
        else:
            found = (compiled.gettext(singular),)
        assert found == entry.texts


def test_catalogues_are_in_the_package() -> None:
    path = Path(djongo_services.__file__).parent.parent / "pyproject.toml"
    config = tomllib.loads(path.read_text("utf-8"))
    assert "locale/**/*" in config["tool"]["setuptools"]["package-data"]["djongo_services"]


def test_a_page_in_german(root: Site, settings: Any) -> None:
    root.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    _with_locale_middleware(settings)
    page = root.get(root.url("collection_changelist"))
    assert "Collections" in page.text
    assert "Suchen" in page.html
    assert "Auf der Festplatte" in page.text
    assert "On disk" not in page.text


def _with_locale_middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:2],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[2:],
    ]


def test_pages_in_another_language(root: Site, settings: Any) -> None:
    """Texts that pages create in threads are in the reader's language, too."""
    settings.DJONGO_SERVICES = {**settings.DJONGO_SERVICES, "ADMIN": {"TIMEOUT": 1e-9}}
    root.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    _with_locale_middleware(settings)
    page = root.get(root.url("collection_changelist"))
    assert "Der Server hat nicht innerhalb von 1e-09 Sekunden geantwortet." in page.text
    assert "Abmelden" in page.html
