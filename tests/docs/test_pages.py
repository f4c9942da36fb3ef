"""The pages with steps are followed as they are printed, one after the other in one project."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.distribution import PATIENCE
from tests.docs.blocks import blocks_of
from tests.docs.project import ReadersProject

pytestmark = PATIENCE

DOCS = ROOT / "docs"
FOLLOWED = (
    "tutorial.md",
    "howto/moving-files.md",
    "howto/private-downloads.md",
    "howto/existing-database.md",
)
"""The order matters: the how-tos continue the project of the tutorial."""
NOT_FOLLOWED = {
    "howto/ci.md": "a workflow of a forge; the commands in it are those of other pages",
    "howto/from-djongo.md": "a database that djongo left; tests/storage/djongo has its files",
    "howto/index-changes.md": "tests/schema changes indexes beside a writer",
    "howto/nightly-drift.md": "tests/drift runs these commands with differences to find",
    "howto/testing.md": "tests/testing and tests/engine/projects run such projects",
}
WITHOUT_CODE = ("howto/from-mongoengine.md", "howto/topologies.md")


def test_every_page_with_steps_is_followed_or_said_why_not() -> None:
    pages = {f"howto/{path.name}" for path in (DOCS / "howto").glob("*.md")} | {"tutorial.md"}
    assert pages == {*FOLLOWED, *NOT_FOLLOWED, *WITHOUT_CODE}
    assert not any(blocks_of((DOCS / name).read_text("utf-8")) for name in WITHOUT_CODE)


def test_the_tutorial_and_what_continues_it(reader: ReadersProject) -> None:
    for name in FOLLOWED:
        reader.follow(blocks_of((DOCS / name).read_text("utf-8")))
    printed = "\n".join(reader.printed)
    for page in FOLLOWED:
        text = (DOCS / page).read_text("utf-8")
        for promised in re.findall(r"^ *print\(.*\)  # (.*)$", text, re.MULTILINE):
            assert promised.split(":")[0] in printed, promised
