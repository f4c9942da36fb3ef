"""The pages in a real browser, over the demo's data, under a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Keys

from tests.admin.browser.conftest import SCREENSHOTS
from tests.admin.browser.driver import Browser
from tests.admin.browser.pages import COLLECTIONS as ROOT
from tests.admin.browser.pages import of
from tests.demo.conftest import Demo


def profile(page: Browser, name: str, depth: str = "sample") -> None:
    page.open(of(name, "schema"))
    page.run(f"document.querySelector('input[value={depth}]').checked = true")
    page.click(".mongo-take button")


def test_browse(page: Browser) -> None:
    page.open("/admin/")
    page.click_link("Collections")
    page.wait_for("MongoDB 6.0")
    page.type("input[type=search][name=q]", "NOTE")
    page.click(".mongo-search button")
    assert "archive_place" not in page.text
    page.click_link("archive_note")
    page.wait_for("author_recorded_by_hand")
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
    assert page.path == of("archive_note", "documents")
    page.open(of("archive_note"))
    page.run("document.querySelector('.mongo-scroll').focus()")
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    page.press(Keys.TAB)
    assert page.run(outline) != "none"


def open_menus(page: Browser) -> None:
    page.run("document.querySelectorAll('.mongo-menu').forEach(menu => { menu.open = true })")


def test_hide_an_index(page: Browser, demo: Demo) -> None:
    page.open(of("archive_place"))
    open_menus(page)
    page.click("a[href$='/hide/']")
    page.wait_for("Queries no longer use it")
    page.click(".submit-row input[type=submit]")
    assert "Done: hide index" in page.text
    indexes = demo.database.archive_place.index_information()
    (hidden,) = [name for name, one in indexes.items() if one.get("hidden")]
    open_menus(page)
    page.click("a[href$='/unhide/']")
    page.click(".submit-row input[type=submit]")
    page.wait_for(f"Done: unhide index {hidden}")


def test_copy_a_definition(page: Browser) -> None:
    page.open(of("legacy_cards"))
    page.run(
        "const row = [...document.querySelectorAll('tr')].find(row => row.innerText.includes("
        "'old_number_1')); row.querySelector('.mongo-definition').open = true;"
        "window.copied = null; document.addEventListener('copy', () => {"
        " window.copied = String(getSelection()) });"
        # As where there is no https.
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "row.querySelector('[data-copy]').focus()"
    )
    page.press(Keys.ENTER)
    page.wait_for("Copied")
    assert '"name": "old_number_1"' in page.run("return window.copied")


def test_code_for_a_model(page: Browser) -> None:
    page.open(of("archive_note"))
    open_menus(page)
    page.click("a[href$='/declare/']")
    page.wait_for("add this to archive.Note")
    assert "class Meta:" in page.text
    assert page.run("return document.querySelector('[data-copy]').hidden") is False


def test_narrow_the_dashboard(page: Browser) -> None:
    page.open(ROOT)
    page.click_link("Different from the models")
    assert "state=differs" in page.path
    assert "archive_note" in page.text
    assert "auth_user" not in page.text
    with page.leaving():
        page.run("document.querySelector('.mongo-drift a').click()")
    assert "/plan/" in page.path


def test_drop_an_index_and_roll_it_back(page: Browser, demo: Demo) -> None:
    cards = demo.database.legacy_cards
    before = cards.index_information()
    page.open(of("legacy_cards"))
    page.run(
        "[...document.querySelectorAll('tr')].find(row => row.innerText.includes("
        "'old_number_1')).querySelector('.mongo-menu summary').focus()"
    )
    # The menu opens, closes and opens with the keyboard; its last entry is the grave one.
    page.press(Keys.ENTER)
    page.press(Keys.TAB, Keys.ESCAPE)
    assert page.run("return document.querySelectorAll('.mongo-menu[open]').length") == 0
    page.press(Keys.ENTER, Keys.TAB, Keys.TAB, Keys.TAB)
    assert page.run("return document.activeElement.className") == "mongo-action grave"
    with page.leaving():
        page.press(Keys.ENTER)
    page.type("#typed", "old_number")
    page.click(".submit-row input[type=submit]")
    page.wait_for("nothing was done")
    page.type("#typed", "old_number_1")
    page.click(".submit-row input[type=submit]")
    page.wait_for("Done: drop index old_number_1")
    assert "old_number_1" not in cards.index_information()
    page.open(f"{ROOT}runs/")
    page.click(".mongo-table tbody a")
    page.click_link("Roll back")
    page.click(".submit-row input[type=submit]")
    page.wait_for("The run was rolled back.")
    assert cards.index_information() == before


def test_what_a_plan_changes(page: Browser, demo: Demo) -> None:
    page.open(f"{ROOT}plan/")
    page.click_link("archive_person")
    assert page.path == of("archive_person", "plan")
    page.open(of("archive_person", "plan"))
    page.run("document.querySelector('details:has(.mongo-diff) summary').click()")
    page.wait_for('"name": "person_name"')
    page.open(f"{ROOT}plan/apply/")
    assert "WAITS FOR" in page.text.upper()


def test_stop_a_run(page: Browser, demo: Demo) -> None:
    point = "hangAfterStartingIndexBuild"
    admin = demo.database.client.admin
    runs = demo.database.djongo_services_runs
    before = runs.count_documents({})
    page.open(of("archive_loan", "plan"))
    # Its index alone, so that the collection is afterwards as it was.
    page.click(".mongo-card.changed .mongo-apply")
    try:
        admin.command("configureFailPoint", point, mode="alwaysOn")
        page.click(".submit-row input[type=submit]")
        page.wait_for("Run in progress")
        page.wait_for("build index")
        page.screenshot(SCREENSHOTS / "run-in-progress-1280-light.png")
        page.click(".mongo-run button")
        page.wait_for("Stopped by root")
    finally:
        admin.command("configureFailPoint", point, mode="off")
    assert "interrupted" in page.text
    assert runs.count_documents({}) == before + 1
    page.open(ROOT)
    page.wait_for("Last run:")
    page.click(".mongo-last-run a")
    page.wait_for("Stopped by root")


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
        page.wait_for("Profile in progress: exact, for root")
        page.run("window.isSamePage = true")
        page.wait_for(" of 3,000 documents")
        # The script has looked; the page is not another one.
        assert page.run("return window.isSamePage")
        page.click(".mongo-run button")
        # The page finds out by itself that it has ended.
        page.wait_for("Several scans.")
        assert "Profile in progress" not in page.text

    def test_a_sample(self, page: Browser) -> None:
        profile(page, "legacy_cards")
        page.wait_for("all 80 documents examined")
        assert "shelf" in page.text

    def test_what_changed_since(self, page: Browser, demo: Demo) -> None:
        shelves = demo.database.shelves
        shelves.insert_many([{"_id": n, "label": str(n)} for n in range(20)])
        try:
            for label in ("text", 1):
                profile(page, "shelves")
                page.wait_for("all 20 documents examined")
                shelves.update_many({"_id": {"$lt": 5}}, {"$set": {"label": label}})
            profile(page, "shelves")
            page.click_link("What changed since earlier profiles")
            page.wait_for("1 difference")
            assert "string 75 %, int 25 %" in page.text
            oldest = "document.querySelector('#since').selectedIndex = 1"
            page.run(oldest)
            page.click(".mongo-since button")
            page.wait_for("1 difference")
            assert "since=" in page.path
            assert page.run("return document.querySelectorAll('polyline').length") == 2
        finally:
            shelves.drop()


class TestDocuments:
    def test_filter_and_open(self, page: Browser) -> None:
        page.open(of("legacy_cards", "documents"))
        page.click_link("Next page")
        page.wait_for("First page")
        page.click_link("Previous page")
        page.type("[name=f]", "shelf")
        page.run("document.querySelector('[name=t]').value = 'number'")
        page.type("[name=v]", "four")
        page.click(".mongo-shape button")
        page.wait_for("'four' is not a number")
        page.type("[name=v]", "5")
        page.click(".mongo-shape button")
        page.click_link("Count them")
        page.wait_for("documents match.")
        page.click(".mongo-card-document h3 a")
        page.wait_for("Cave drawings")
        page.click_link("Extended JSON")
        assert '"title": "Cave drawings"' in page.text
        page.run("document.querySelector('[data-copy]').focus()")
        page.press(Keys.ENTER)  # A browser copies only for a person, not for a script.
        page.wait_for("Copied")
        page.click_link("All documents")
        assert page.path == of("legacy_cards", "documents")

    def test_what_an_operator_does_not_need_is_hidden(self, page: Browser) -> None:
        page.open(of("legacy_cards", "documents"))
        seen = (
            "const row = document.querySelector('.mongo-condition');"
            "const operator = row.querySelector('[name=o]');"
            "operator.value = arguments[0];"
            "operator.dispatchEvent(new Event('change'));"
            "return ['t', 'v'].map(name =>"
            " !row.querySelector(`[name=${name}]`).closest('label').hidden)"
        )
        assert page.run(seen, "exists") == [False, False]
        assert page.run(seen, "begins") == [False, True]
        assert page.run(seen, "eq") == [True, True]

    def test_from_a_rule_to_what_breaks_it(self, page: Browser) -> None:
        page.open(of("specimens", "validator"))
        page.click(".mongo-rule-table td a[href*='breaks=']")
        page.wait_for("Documents that break the rule: name is present.")
        assert page.run("return document.querySelectorAll('article').length") == 1

    def test_values_of_fields(self, page: Browser) -> None:
        profile(page, "archive_note")
        page.click_link("Show values")
        page.wait_for('"published"')
        page.type("#q", "recorded")
        page.click(".mongo-field-search button")
        page.wait_for("1 field found.")
        assert page.run("return document.querySelectorAll('.mongo-histogram rect').length") == 12
        page.click_link("Hide the values")
        assert page.run("return document.querySelectorAll('.mongo-values').length") == 0


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
        for tab in ("Documents", "Schema", "Validator", "Plan"):
            page.click_link(tab)
            if tab == "Schema":
                page.click(".mongo-take button")
                page.wait_for("the only document examined")
            assert page.run("return typeof hacked") == "undefined"
            assert page.run("return document.images.length") == 0
    finally:
        collection.drop()
