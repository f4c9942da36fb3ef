"""Checks of every page: it can be read without scripts, with assistive technology, from right to
left, on a phone; and the browser reports no problem under a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from tests.admin.browser.conftest import AXE, SCREENSHOTS
from tests.admin.browser.driver import Browser
from tests.admin.browser.pages import PAGES, Page
from tests.demo.conftest import Demo

SERIOUS = ("serious", "critical")
WIDTHS = (1280, 390)
THEMES = {"light": False, "dark": True}
OPENED = "document.querySelectorAll('#content details').forEach(one => { one.open = true })"
every_page = pytest.mark.parametrize("shown", PAGES, ids=[page.name for page in PAGES])
in_each_theme = pytest.mark.parametrize("theme", THEMES)


@pytest.fixture
def right_to_left(page: Browser) -> Iterator[Browser]:
    page.remember(settings.LANGUAGE_COOKIE_NAME, "he")
    yield page
    page.forget(settings.LANGUAGE_COOKIE_NAME)


@every_page
def test_without_scripts(page: Browser, demo: Demo, shown: Page) -> None:
    page.scripts(allowed=False)
    try:
        page.open(shown.url(demo.database))
        # What can be read is read by the driver, not by a script of the page.
        found = page.command("Runtime.evaluate", expression="document.body.innerText")
        assert shown.words in found["result"]["value"]
    finally:
        page.scripts(allowed=True)


@in_each_theme
@every_page
def test_accessibility(page: Browser, demo: Demo, shown: Page, theme: str) -> None:
    """axe-core finds no serious fault. The admin's own frame is not part of the check."""
    page.look(width=1280, dark=THEMES[theme])  # before the page is there: colours fade
    page.open(shown.url(demo.database))
    page.run(OPENED)
    page.run(f"{AXE.read_text('utf-8')}; window.axe = axe;")
    result = page.run(
        "return axe.run(document.querySelector('#content') || document.body,"
        " {resultTypes: ['violations'], iframes: false})"
    )
    faults = {
        fault["id"]: [node["target"] for node in fault["nodes"]]
        for fault in result["violations"]
        if fault["impact"] in SERIOUS
    }
    assert faults == {}


@every_page
def test_from_right_to_left(right_to_left: Browser, demo: Demo, shown: Page) -> None:
    page = right_to_left
    page.open(shown.url(demo.database))
    page.run(OPENED)
    if page.run("return document.documentElement.lang") == "he":
        heading = "const box = document.querySelector('h1 bdi').getBoundingClientRect(); "
        assert page.run(f"{heading} return innerWidth - box.right < box.left") is True
        assert page.run("return document.documentElement.dir") == "rtl"
    for width in WIDTHS:
        page.look(width=width)
        assert page.run("return document.documentElement.scrollWidth") <= width
        assert page.run(_OUTSIDE) == []
        photograph(page, f"{shown.name}-{width}-rtl")


@in_each_theme
@every_page
def test_fits_the_window(page: Browser, demo: Demo, shown: Page, theme: str) -> None:
    """No page has to be scrolled sideways on a phone. The pictures are for people to look at."""
    page.look(width=1280, dark=THEMES[theme])
    page.open(shown.url(demo.database))
    page.run(OPENED)
    for width in WIDTHS:
        page.look(width=width, dark=THEMES[theme])
        assert page.run("return document.documentElement.scrollWidth") <= width
        assert page.run(_OUTSIDE) == []
        photograph(page, f"{shown.name}-{width}-{theme}", dark=THEMES[theme])


_OUTSIDE = """
return [...document.querySelectorAll('#content *')].filter(one => {
    const box = one.getBoundingClientRect();
    return (box.left < -1 || box.right > innerWidth + 1) && box.width > 1
        && !one.closest('.mongo-scroll, .mongo-hidden, pre, svg, .mongo-one-document');
}).map(one => `${one.tagName}.${one.className}: ${one.innerText}`);
"""
"""The content beyond an edge of the window, unless it scrolls separately."""


def photograph(page: Browser, name: str, *, dark: bool = False) -> None:
    """The whole page, as wide as it is shown."""
    width = page.run("return innerWidth")
    height = page.run(
        "const main = document.querySelector('.main > .content');"
        "return Math.max(document.documentElement.scrollHeight,"
        " main ? main.scrollHeight + 140 : 0)"
    )
    page.look(width=width, dark=dark, height=min(height, 2_400))
    page.screenshot(SCREENSHOTS / f"{name}.png")
