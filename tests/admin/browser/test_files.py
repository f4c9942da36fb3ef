"""The pages of files in a real browser, over the demo's bucket, under a strict policy."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from bson import ObjectId

from djongo_services.storage.bucket import Bucket
from tests.admin.browser.driver import Browser
from tests.admin.browser.pages import BUCKET, TORN, of_file
from tests.admin.browser.pages import FILES as ROOT
from tests.demo.conftest import Demo

LIST = f"{BUCKET}files/"
COLLECTOR = f"{BUCKET}collector/"


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


DROP = """
const form = document.querySelector('form[data-upload]');
const dropped = new DataTransfer();
for (const name of arguments[0]) dropped.items.add(new File(['dropped'], name));
const tell = (kind) => form.dispatchEvent(
    new DragEvent(kind, {dataTransfer: dropped, bubbles: true, cancelable: true}));
tell('dragover');
const was = document.querySelector('[data-drop]').classList.contains('over');
tell('drop');
return was && !document.querySelector('[data-drop]').classList.contains('over');
"""


def test_drop_files(page: Browser, demo: Demo, restored: None) -> None:
    page.open(f"{ROOT}add/?to=default/media")
    assert "Or drop files anywhere in this form." in page.text
    assert page.run(DROP, ["one.txt", "<b>two</b>.txt"])
    assert "<b>two</b>.txt 7 B" in page.text
    assert page.run("return document.querySelector('#files').files.length") == 2
    assert page.run(DROP, ["three.txt"])
    assert "one.txt" not in page.text
    page.click("form[data-upload] input[type=submit]")
    stored = demo.database["media.files"].find_one({"filename": "three.txt"})
    assert stored is not None
    assert stored["length"] == 7


def test_drop_one_file_where_one_is_replaced(
    page: Browser, plates: dict[str, ObjectId], restored: None
) -> None:
    page.open(of_file(plates["pdf"], "replace"))
    page.run(DROP, ["one.pdf", "two.pdf"])
    assert page.run("return document.querySelector('#files').files.length") == 1
    assert "two.pdf" not in page.text


def test_what_is_wrong_comes_first(page: Browser, demo: Demo) -> None:
    page.open(of_file(TORN))
    page.wait_for("The file is broken: chunk 1 of 2 is missing.")
    top = "return document.querySelector(arguments[0]).getBoundingClientRect().top"
    assert page.run(top, "[role=alert]") < page.run(top, ".mongo-tools")
    assert "The next run of the collector moves it to the trash" in page.text


def test_the_chart_has_axes(page: Browser) -> None:
    page.open(ROOT)
    shown = page.run("return document.querySelector('.mongo-chart').innerText")
    assert "Jan" in shown
    assert "2024" in shown
    assert "kB" in shown


def test_browse_and_filter(page: Browser) -> None:
    page.open("/admin/")
    page.click_link("Files")
    page.wait_for("65 files")
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
    page.open(of_file(plates["jpg"]))
    image = "document.querySelector('.mongo-preview img')"
    page.run(f"return {image}.decode()")
    assert page.run(f"return {image}.naturalWidth") == 360
    page.open(of_file(plates["wav"]))
    duration = page.run(
        "const sound = document.querySelector('audio');"
        "return sound.readyState ? sound.duration :"
        " new Promise(done => sound.onloadedmetadata = () => done(sound.duration))"
    )
    assert duration == pytest.approx(0.5)
    page.open(of_file(plates["pdf"]))
    page.run(
        "const frame = document.querySelector('iframe');"
        "frame.scrollIntoView();"
        "return new Promise(done => setTimeout(done, 300))"
    )
    # That it was neither refused nor missing is looked at when the test ends.
    assert page.run("return document.querySelector('iframe').src").endswith("/raw/")


def test_verify(page: Browser, demo: Demo, plates: dict[str, ObjectId]) -> None:
    page.open(of_file(plates["jpg"]))
    page.click("form[action$='/verify/'] button")
    page.wait_for("the SHA-256 matches")
    torn = demo.database["media.files"].find_one({"filename": "plates/torn.tif"})
    assert torn is not None
    page.open(of_file(torn["_id"]))
    page.wait_for("1 of 2 present")


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
    assert page.path == of_file(stored.id)
    assert stored.length == path.stat().st_size
    page.click_link("Rename")
    page.type("#filename", "calls/otter.wav")
    page.click(".submit-row input")
    page.wait_for("The file is now named calls/otter.wav.")
    page.click_link("Delete")
    page.wait_for("Nothing that the project knows refers to it.")
    page.click(".submit-row input")
    page.wait_for("Moved to the trash: calls/otter.wav")
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
    page.wait_for("Found: 9 items")
    page.click("a[href$='state=unreferenced']")
    page.wait_for("plates/unlabelled-1.jpg")
    page.run("document.querySelector('[data-check-all]').click()")
    assert page.run("return document.querySelectorAll('input[name=ids]:checked').length") == 4
    page.click("button[value=delete]")
    page.wait_for("4 files.")
    page.click(".submit-row input")
    page.wait_for("4 files are in the trash now.")
    page.click_link("Collector")
    page.click_link("Collect all")
    page.wait_for("moved to the trash")
    page.click(".submit-row input")
    page.wait_for("Moved to the trash: 5 items")
    assert demo.database["media.trash"].count_documents({}) == 11
    page.click("form[action$='/empty/'] button")
    page.type("#typed", "media")
    page.click(".submit-row input")
    page.wait_for("0 entries of the trash were deleted for good")


def test_hostile_files_are_inert(page: Browser, demo: Demo, restored: None) -> None:
    evil = "<img src=x onerror=hacked=1><script>hacked=1</script>"
    bucket = Bucket(demo.database, "media")
    script = b"<script>hacked=1</script>"
    for number, kind in enumerate(("text/html", "image/svg+xml", "image/png", evil, "text/plain")):
        stored = bucket.upload(
            f"\u202e{evil}{number}", script, content_type=kind, metadata={evil: evil}
        )
        page.open(of_file(stored.id))
        assert evil in page.text
        assert page.run("return typeof hacked") == "undefined"
        images = "return [...document.images].every(one => one.src.endsWith('/raw/'))"
        assert page.run(images)
        if kind in ("text/plain", "image/png"):
            page.open(of_file(stored.id, "raw"))
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


def choose(page: Browser, path: Path) -> None:
    page.type("#files", str(path))
