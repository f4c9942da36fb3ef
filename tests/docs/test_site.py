"""The site that ``make docs`` builds: without warnings, and without anything from other hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\ssrc=\"?(https?:)?//"
    r"|<link\b[^>]*rel=\"?(?:stylesheet|preconnect|preload)\b[^>]*href=\"?(https?:)?//"
)
"""Everything that a browser would load without a click."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert len(pages) > 30
    assert {path for path in pages if not (site / path.with_suffix(".html")).exists()} == set()


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        found = FETCHED.search(path.read_text("utf-8"))
        assert found is None, f"{path.name}: {found and found[0]}"


def test_the_search_is_part_of_it(site: Path) -> None:
    assert "syncmongoschema" in (site / "search" / "search_index.json").read_text("utf-8")


def test_tests_that_pages_name_exist() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        for path in re.findall(r"`(tests/[\w/.]+)`", page.read_text("utf-8")):
            assert (ROOT / path).exists(), f"{page.name}: {path}"
