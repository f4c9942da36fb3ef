"""Markup that must not be in a page, whatever is in the database."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.admin.conftest import Page


class Markup(HTMLParser):
    """Collects what a strict Content-Security-Policy would refuse, and where links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.refused.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name == "style":
                self.refused.append(f"{name}={value}")
            if name in ("href", "src", "action", "formaction"):
                self.links.append(value or "")

    @property
    def foreign(self) -> list[str]:
        """Links that leave the site, or are code."""
        return [link for link in self.links if link and not link.startswith(("/", "?", "#"))]


def check_inert(page: Page) -> None:
    """Content of a database is shown as text on the page, and within the limits of a page."""
    assert page.status == 200, page.text
    markup = Markup(page.html)
    assert markup.refused == []
    assert markup.foreign == []
    assert "<script>alert" not in page.html
    assert "\u202e" not in page.html
    assert "\x1b" not in page.html
    assert len(page.html) < 500_000
