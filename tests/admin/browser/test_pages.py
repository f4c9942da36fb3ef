"""The pages in a real browser, over the demo's data, under a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Keys

from tests.admin.browser.conftest import AXE, SCREENSHOTS
from tests.admin.browser.driver import Browser
from tests.demo.conftest import Demo

ROOT = "/admin/djongo_services/collection/"


def of(name: str, tab: str = "change") -> str:
    return f"{ROOT}default_2F{name.replace('_', '_5F')}/{tab}/"


PAGES = {
    "dashboard": ROOT,
    "indexes": of("archive_note"),
    "schema": of("legacy_cards", "schema"),
    "validator": of("specimens", "validator"),
    "plan": of("archive_loan", "plan"),
    "whole-plan": f"{ROOT}plan/",
    "runs": f"{ROOT}runs/",
    "transactions": "/admin/djongo_services/transaction/",
}
SERIOUS = ("serious", "critical")


def profile(page: Browser, name: str, depth: str = "sample") -> None:
    page.open(of(name, "schema"))
    page.click(f"button[value={depth}]")


def test_browse(page: Browser) -> None:
    page.open("/admin/")
    page.click_link("Collections")
    page.wait_for("MongoDB 6.0")
    page.type("input[type=search][name=q]", "NOTE")
    page.click(".mongo-search button")
    assert "archive_place" not in page.text
    page.click_link("archive_note")
    page.wait_for("redundant with author_recorded_by_hand")
    page.click_link("SIZE")
    assert "o=-size" in page.path
    for tab in ("Schema", "Validator", "Plan"):
        page.click_link(tab)
        assert tab == page.run(
            "return document.querySelector('.mongo-tabs [aria-current]').innerText"
        )


def test_with_the_keyboard(page: Browser) -> None:
    page.open(of("archive_note"))
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.className") == "skip-to-content-link"
    page.run("document.querySelector('.mongo-tabs a[aria-current]').focus()")
    with page.leaving():
        page.press(Keys.TAB, Keys.ENTER)
    assert page.path == of("archive_note", "schema")
    page.open(of("archive_note"))
    page.run("document.querySelector('.mongo-scroll').focus()")
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    page.press(Keys.TAB)
    assert page.run(outline) != "none"


def test_hide_an_index(page: Browser, demo: Demo) -> None:
    page.open(of("archive_place"))
    page.click("a[href$='/hide/']")
    page.wait_for("Queries no longer use it")
    page.click(".submit-row input[type=submit]")
    assert "Done: hide index" in page.text
    indexes = demo.database.archive_place.index_information()
    (hidden,) = [name for name, one in indexes.items() if one.get("hidden")]
    page.click("a[href$='/unhide/']")
    page.click(".submit-row input[type=submit]")
    page.wait_for(f"Done: unhide index {hidden}")


def test_drop_an_index_and_roll_it_back(page: Browser, demo: Demo) -> None:
    cards = demo.database.legacy_cards
    before = cards.index_information()
    page.open(of("legacy_cards"))
    page.run(
        "[...document.querySelectorAll('tr')].find(row => row.innerText.includes("
        "'old_number_1')).querySelector('.grave').focus()"
    )
    with page.leaving():
        page.press(Keys.ENTER)
    page.type("#typed", "old_number")
    page.click(".submit-row input[type=submit]")
    page.wait_for("nothing was done")
    page.type("#typed", "old_number_1")
    page.click(".submit-row input[type=submit]")
    page.wait_for("Done: drop index old_number_1")
    assert "old_number_1" not in cards.index_information()
    page.open(PAGES["runs"])
    page.click(".mongo-table tbody a")
    page.click_link("Roll back")
    page.click(".submit-row input[type=submit]")
    page.wait_for("The run was rolled back.")
    assert cards.index_information() == before


def test_apply_a_plan(page: Browser, demo: Demo) -> None:
    page.open(of("archive_person", "plan"))
    page.click_link("Apply all")
    assert "4 steps" in page.text or "5 steps" in page.text
    page.click(".submit-row input[type=submit]")
    page.wait_for("In sync:")
    assert "person_name" in demo.database.archive_person.index_information()


class TestProfiles:
    @pytest.fixture
    def slow(self, demo: Demo) -> Iterator[str]:
        """A collection each of whose scans takes a while."""
        demo.database.slow.insert_many([{"n": n, "s": str(n)} for n in range(3_000)])
        data = {
            "failCommands": ["aggregate", "find"],
            "namespace": f"{demo.database.name}.slow",
            "blockConnection": True,
            "blockTimeMS": 500,
        }
        admin = demo.database.client.admin
        admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
        yield "slow"
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})
        demo.database.slow.drop()

    def test_start_and_stop(self, page: Browser, slow: str) -> None:
        profile(page, slow, "exact")
        page.wait_for("A profile is being taken: exact, for root")
        page.run("window.isSamePage = true")
        page.wait_for(" of 3,000 documents")
        # The script has looked; the page is not another one.
        assert page.run("return window.isSamePage")
        page.click(".mongo-run button")
        # The page finds out by itself that it has ended.
        page.wait_for("Several scans.")
        assert "A profile is being taken" not in page.text

    def test_a_sample(self, page: Browser) -> None:
        profile(page, "legacy_cards")
        page.wait_for("all 80 documents examined")
        assert "shelf" in page.text


def test_without_scripts(page: Browser) -> None:
    profile(page, "legacy_cards")
    page.wait_for("all 80 documents examined")
    page.scripts(allowed=False)
    try:
        for name, path in PAGES.items():
            page.open(path)
            words = {
                "dashboard": "archive_note",
                "indexes": "author_recorded_by_hand",
                "schema": "handled_by",
                "validator": "minLength",
                "plan": "loan_deposit_due",
            }
            # What can be read is read by the driver, not by a script of the page.
            shown = page.command("Runtime.evaluate", expression="document.body.innerText")
            assert words.get(name, "MongoDB services") in shown["result"]["value"]
    finally:
        page.scripts(allowed=True)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_accessibility(page: Browser, dark: bool) -> None:
    """axe-core finds no serious fault. The admin's own frame is not ours to mend."""
    source = AXE.read_text("utf-8")
    page.look(width=1280, dark=dark)  # before the page is there: colours fade when it changes
    found: dict[str, Any] = {}
    for name, path in PAGES.items():
        page.open(path)
        page.run(source + "; window.axe = axe;")
        result = page.run("return axe.run('#content', {resultTypes: ['violations']})")
        faults = {
            fault["id"]: [node["target"] for node in fault["nodes"]]
            for fault in result["violations"]
            if fault["impact"] in SERIOUS
        }
        if faults:
            found[name] = faults
    assert found == {}


def test_hostile_names_are_inert(page: Browser, demo: Demo) -> None:
    evil = "<img src=x onerror=hacked=1><script>hacked=1</script>"
    collection = demo.database[evil]
    try:
        collection.insert_one({evil: 1, "_id": evil, "\u202egpj": "javascript:hacked=1"})
        collection.create_index(evil, name=evil)
        demo.database.command("collMod", evil, validator={"n": {"$exists": True}})
        page.open(ROOT)
        page.click_link(evil)
        assert evil in page.text
        for tab in ("Schema", "Validator", "Plan"):
            page.click_link(tab)
            if tab == "Schema":
                page.click("button[value=sample]")
                page.wait_for("all 1 document examined")
            assert page.run("return typeof hacked") == "undefined"
            assert page.run("return document.images.length") == 0
    finally:
        collection.drop()


def test_screenshots(page: Browser) -> None:
    """For people to look at; on no page a phone has to scroll sideways."""
    profile(page, "legacy_cards")
    page.wait_for("all 80 documents examined")
    for name, path in PAGES.items():
        page.open(path)
        for width in (1280, 390):
            for dark in (False, True):
                page.look(width=width, dark=dark)
                overflow = "const all = document.documentElement; return all.scrollWidth"
                assert page.run(overflow) <= width, name
                height = page.run(
                    "const main = document.querySelector('.main > .content');"
                    "return Math.max(document.documentElement.scrollHeight,"
                    " main ? main.scrollHeight + 140 : 0)"
                )
                page.look(width=width, dark=dark, height=min(height, 2_400))
                theme = "dark" if dark else "light"
                page.screenshot(SCREENSHOTS / f"{name}-{width}-{theme}.png")
