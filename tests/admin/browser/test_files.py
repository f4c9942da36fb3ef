"""The pages of files in a real browser, over the demo's bucket, under a strict policy."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from django.contrib.admin.utils import quote

from djongo_services.storage.bucket import Bucket
from tests.admin.browser.conftest import AXE, SCREENSHOTS
from tests.admin.browser.driver import Browser
from tests.admin.browser.test_pages import SERIOUS
from tests.demo.conftest import Demo

ROOT = "/admin/djongo_services/file/"
BUCKET = f"{ROOT}default_2Fmedia/"
LIST = f"{BUCKET}files/"
COLLECTOR = f"{BUCKET}collector/"


def of(id: Any, page: str = "change") -> str:
    return f"{ROOT}{quote(f'default/media/{id}')}/{page}/"


@pytest.fixture
def plates(demo: Demo) -> dict[str, ObjectId]:
    """By the ending of their names, the first that is in use."""
    found: dict[str, ObjectId] = {}
    names = [medium["file"] for medium in demo.database.archive_medium.find({"file": {"$ne": ""}})]
    for document in demo.database["media.files"].find({"filename": {"$in": names}}):
        if "sha256" in document["metadata"]:
            found.setdefault(document["filename"].rpartition(".")[2], document["_id"])
    return found


@pytest.fixture
def restored(demo: Demo) -> Iterator[None]:
    """The bucket is afterwards as it was."""
    kept = {
        name: list(demo.database[name].find({}))
        for name in ("media.files", "media.chunks", "media.trash", "media.uploads")
    }
    yield
    for name, documents in kept.items():
        demo.database[name].delete_many({})
        if documents:
            demo.database[name].insert_many(documents)


def test_browse_and_filter(page: Browser) -> None:
    page.open("/admin/")
    page.click_link("Files")
    page.wait_for("67 files")
    page.click_link("media")
    loaded = "const images = [...document.querySelectorAll('img.mongo-thumb')];"
    page.run(f"{loaded} images[0].scrollIntoView(); return images[0].decode()")
    assert page.run(f"{loaded} return images[0].naturalWidth") == 360
    page.run("document.querySelector('select[name=type]').value = 'application/pdf'")
    page.type("input[name=q]", "plates/")
    page.click(".mongo-filters button")
    assert "type=application%2Fpdf" in page.path
    assert ".jpg" not in page.text
    assert ".pdf" in page.text
    page.click(".mongo-files tbody th a")
    page.wait_for("Referred to by")
    page.click_link("Log")
    assert "/history/" in page.path


def test_previews(page: Browser, plates: dict[str, ObjectId]) -> None:
    page.open(of(plates["jpg"]))
    image = "document.querySelector('.mongo-preview img')"
    page.run(f"return {image}.decode()")
    assert page.run(f"return {image}.naturalWidth") == 360
    page.open(of(plates["wav"]))
    duration = page.run(
        "const sound = document.querySelector('audio');"
        "return sound.readyState ? sound.duration :"
        " new Promise(done => sound.onloadedmetadata = () => done(sound.duration))"
    )
    assert duration == pytest.approx(0.5)
    page.open(of(plates["pdf"]))
    page.run(
        "const frame = document.querySelector('iframe');"
        "frame.scrollIntoView();"
        "return new Promise(done => setTimeout(done, 300))"
    )
    # That it was neither refused nor missing is looked at when the test ends.
    assert page.run("return document.querySelector('iframe').src").endswith("/raw/")


def test_verify(page: Browser, demo: Demo, plates: dict[str, ObjectId]) -> None:
    page.open(of(plates["jpg"]))
    page.click("form[action$='/verify/'] button")
    page.wait_for("their SHA-256 is that of the stored ones")
    torn = demo.database["media.files"].find_one({"filename": "plates/torn.tif"})
    assert torn is not None
    page.open(of(torn["_id"]))
    page.wait_for("1 of 2 are there")


def test_upload_rename_delete_and_restore(
    page: Browser, demo: Demo, tmp_path: Path, restored: None
) -> None:
    path = tmp_path / "otter call.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8_000)
        sound.writeframes(bytes(3_000_000))
    page.open(LIST)
    page.click_link("Upload")
    page.type("#folder", "calls")
    choose(page, path)
    with page.leaving():
        page.run(
            "window.seen = [];"
            "const bar = document.querySelector('.mongo-sending');"
            "new MutationObserver(() => window.seen.push(bar.hidden)).observe("
            "bar, {attributes: true});"
            "document.querySelector('.submit-row input').click();"
        )
    page.wait_for("calls/otter call.wav")
    assert "1 file was uploaded." in page.text
    stored = Bucket(demo.database, "media").get_by_name("calls/otter call.wav")
    assert page.path == of(stored.id)
    assert stored.length == path.stat().st_size
    page.click_link("Rename")
    page.type("#filename", "calls/otter.wav")
    page.click(".submit-row input")
    page.wait_for("It is calls/otter.wav now.")
    page.click_link("Delete")
    page.wait_for("Nothing that the project knows refers to it.")
    page.click(".submit-row input")
    page.wait_for("In the trash now: calls/otter.wav")
    page.click_link("In the trash")
    page.click_link("calls/otter.wav")
    page.click("form[action$='/restore/'] button")
    page.wait_for("Restored: calls/otter.wav")


def test_an_upload_is_told_what_is_wrong(page: Browser, tmp_path: Path, demo: Demo) -> None:
    path = tmp_path / "a.txt"
    path.write_text("words")
    page.open(f"{ROOT}add/")
    page.type("#folder", "../outside")
    choose(page, path)
    page.run("document.querySelector('.submit-row input').click()")
    page.wait_for("a.txt: Detected path traversal attempt")
    assert page.run("return document.querySelector('.mongo-sending').hidden")
    assert page.run("return !document.querySelector('.submit-row input').disabled")
    assert demo.database["media.files"].count_documents({"filename": {"$regex": "outside"}}) == 0
    # The browser notes that the answer had the status 400.
    assert len(page.complaints()) == 1


def test_collect(page: Browser, demo: Demo, restored: None) -> None:
    page.open(COLLECTOR)
    page.click("form[action$='/dry/'] button")
    page.wait_for("Found: 11 things")
    page.click("a[href$='state=unreferenced']")
    page.wait_for("plates/unlabelled-1.jpg")
    page.run("document.querySelector('[data-check-all]').click()")
    assert page.run("return document.querySelectorAll('input[name=ids]:checked').length") == 4
    page.click("button[value=delete]")
    page.wait_for("They are 4 files.")
    page.click(".submit-row input")
    page.wait_for("4 files are in the trash now.")
    page.click_link("Collector")
    page.click_link("Collect all")
    page.wait_for("moved to the trash")
    page.click(".submit-row input")
    page.wait_for("Moved to the trash: 7 things")
    assert demo.database["media.trash"].count_documents({}) == 11
    page.click("form[action$='/empty/'] button")
    page.type("#typed", "media")
    page.click(".submit-row input")
    page.wait_for("0 entries of the trash were deleted for good")


def pages(plates: dict[str, ObjectId]) -> dict[str, str]:
    return {
        "buckets": ROOT,
        "files": f"{LIST}?q=plates/plate-00001",
        "totals": f"{BUCKET}totals/",
        "collector": COLLECTOR,
        "file": of(plates["jpg"]),
        "file-document": of(plates["pdf"]),
        "upload": f"{ROOT}add/",
        "delete": of(plates["jpg"], "delete"),
        "rename": of(plates["jpg"], "rename"),
    }


def test_without_scripts(page: Browser, plates: dict[str, ObjectId]) -> None:
    page.scripts(allowed=False)
    words = {
        "buckets": "67 files",
        "files": "plate-000010",
        "totals": "application/pdf",
        "collector": "Look for garbage",
        "file": "Referred to by",
        "upload": "Into the storage",
    }
    try:
        for name, path in pages(plates).items():
            page.open(path)
            # What can be read is read by the driver, not by a script of the page.
            shown = page.command("Runtime.evaluate", expression="document.body.innerText")
            assert words.get(name, "MongoDB services") in shown["result"]["value"]
    finally:
        page.scripts(allowed=True)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_accessibility(page: Browser, dark: bool, plates: dict[str, ObjectId]) -> None:
    source = AXE.read_text("utf-8")
    page.look(width=1280, dark=dark)
    found: dict[str, Any] = {}
    for name, path in pages(plates).items():
        page.open(path)
        page.run(source + "; window.axe = axe;")
        result = page.run(
            "return axe.run('#content', {resultTypes: ['violations'], iframes: false})"
        )
        faults = {
            fault["id"]: [node["target"] for node in fault["nodes"]]
            for fault in result["violations"]
            if fault["impact"] in SERIOUS
        }
        if faults:
            found[name] = faults
    assert found == {}


def test_hostile_files_are_inert(page: Browser, demo: Demo, restored: None) -> None:
    evil = "<img src=x onerror=hacked=1><script>hacked=1</script>"
    bucket = Bucket(demo.database, "media")
    script = b"<script>hacked=1</script>"
    for number, kind in enumerate(("text/html", "image/svg+xml", "image/png", evil, "text/plain")):
        stored = bucket.upload(
            f"\u202e{evil}{number}", script, content_type=kind, metadata={evil: evil}
        )
        page.open(of(stored.id))
        assert evil in page.text
        assert page.run("return typeof hacked") == "undefined"
        images = "return [...document.images].every(one => one.src.endsWith('/raw/'))"
        assert page.run(images)
        if kind in ("text/plain", "image/png"):
            page.open(of(stored.id, "raw"))
            assert page.run("return typeof hacked") == "undefined"
    page.open(LIST)
    assert evil in page.text
    assert page.run("return typeof hacked") == "undefined"
    page.open("/admin/")
    # The picture that is none.
    page.complaints()


def test_the_widget(page: Browser, demo: Demo) -> None:
    medium = demo.database.archive_medium.find_one({"file": {"$regex": r"\.jpg$"}})
    assert medium is not None
    page.open(f"/admin/archive/medium/{medium['_id']}/change/")
    image = "document.querySelector('.mongo-widget img')"
    page.run(f"{image}.scrollIntoView(); return {image}.decode()")
    assert page.run(f"return {image}.naturalWidth") == 360
    page.click_link(medium["file"])
    page.wait_for("Referred to by")


def test_screenshots(page: Browser, plates: dict[str, ObjectId]) -> None:
    """For people to look at; on no page a phone has to scroll sideways."""
    for name, path in pages(plates).items():
        page.open(path)
        for width in (1280, 390):
            for dark in (False, True):
                page.look(width=width, dark=dark)
                overflow = "return document.documentElement.scrollWidth"
                assert page.run(overflow) <= width, name
                height = page.run(
                    "const main = document.querySelector('.main > .content');"
                    "return Math.max(document.documentElement.scrollHeight,"
                    " main ? main.scrollHeight + 140 : 0)"
                )
                page.look(width=width, dark=dark, height=min(height, 2_400))
                theme = "dark" if dark else "light"
                page.screenshot(SCREENSHOTS / f"files-{name}-{width}-{theme}.png")


def choose(page: Browser, path: Path) -> None:
    page.type("#files", str(path))
