"""Every word of ours on the pages is in the hands of translators."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.utils import translation

import djongo_services
from tests.admin.conftest import Site

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


def test_pages_in_another_language(root: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pages ask in threads is told in the reader's language, too."""
    from django.utils.translation import trans_real

    ours = "The server did not answer within %(seconds)s seconds."
    german = "Der Server hat binnen %(seconds)s Sekunden nicht geantwortet."
    with translation.override("de"):
        catalog = trans_real.translation("de")._catalog
    monkeypatch.setitem(catalog._catalogs[0], ours, german)
    from djongo_services.admin import patience

    monkeypatch.setattr(patience, "SECONDS", 0.0)
    monkeypatch.setattr("djongo_services.admin.connection_pages.SECONDS", 0.0)
    root.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    from django.conf import settings

    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:2],
        "django.middleware.locale.LocaleMiddleware",
        *settings.MIDDLEWARE[2:],
    ]
    page = root.get(root.url("collection_changelist"))
    assert "Der Server hat binnen 0 Sekunden nicht geantwortet." in page.text
    assert "Abmelden" in page.html
