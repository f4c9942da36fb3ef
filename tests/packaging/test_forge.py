"""Files for a public forge: valid by their schemas, which check-jsonschema brings with it. None of
them is run where the project is developed."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import ROOT, VERSIONS

FOLDER = ROOT / ".github"
ADDRESS = "https://github.com/djongo-services/djongo-services"
RAW = "https://raw.githubusercontent.com/djongo-services/djongo-services"
WITH_ADDRESS = {
    ".github/ISSUE_TEMPLATE/config.yml",
    "README.md",
    "SECURITY.md",
    "mkdocs.yml",
    "pyproject.toml",
    "tests/packaging/test_forge.py",
    "CHANGELOG.md",
}
"""Who publishes the project elsewhere changes these, and nothing else."""
VALIDATED = {
    "vendor.github-workflows": sorted((FOLDER / "workflows").glob("*.yml")),
    "vendor.dependabot": [FOLDER / "dependabot.yml"],
    "vendor.github-issue-config": [FOLDER / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.github-issue-forms": [
        FOLDER / "ISSUE_TEMPLATE" / "bug.yml",
        FOLDER / "ISSUE_TEMPLATE" / "feature.yml",
    ],
}


@cache
def noxfile() -> Any:
    """Once: nox warns of a session that is registered again."""
    return SimpleNamespace(**runpy.run_path(str(ROOT / "noxfile.py")))


@pytest.mark.parametrize("schema", VALIDATED)
def test_files_are_valid(schema: str) -> None:
    files = [str(path) for path in VALIDATED[schema]]
    assert files
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_container_makes_what_contributors_use() -> None:
    """Its schema does not come with check-jsonschema."""
    found = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert set(found) == {
        *("name", "image", "features", "postCreateCommand", "forwardPorts", "customizations")
    }
    assert found["postCreateCommand"] == "make setup"


def test_every_workflow_runs_targets_that_make_has() -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    used = {
        target
        for path in (FOLDER / "workflows").glob("*.yml")
        for target in re.findall(r"run: make ([a-z-]+)", path.read_text("utf-8"))
    }
    assert used
    assert used <= made


def test_the_workflow_makes_every_environment_of_the_matrix() -> None:
    text = (FOLDER / "workflows" / "ci.yml").read_text("utf-8")
    (named,) = re.findall(r"environment: \[(.+)\]", text)
    assert named.split(", ") == ["-".join(one) for one in noxfile().ENVIRONMENTS]


def test_the_documents_have_the_versions_of_the_matrix() -> None:
    matrix = noxfile()
    declared = (ROOT / "pyproject.toml").read_text("utf-8")
    for python, those in matrix.FIT.items():
        assert f'"Programming Language :: Python :: {python}"' in declared
        for django in those:
            assert f'"Framework :: Django :: {django}"' in declared
    assert {matrix.NEWEST, *matrix.OLDER} == set(VERSIONS)
    page = (ROOT / "docs" / "versions.md").read_text("utf-8").partition("## ")[0]
    named = set(re.findall(r"\d\.\d+", page))
    assert named >= {*matrix.FIT, *matrix.FIT["3.13"], matrix.NEWEST, matrix.OLDER[-1]}


def test_what_is_not_run_here_says_so() -> None:
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text("utf-8").split())
    assert "The workflows in `.github` are not run where this project is developed" in text


def test_links_to_the_forge_lead_to_files() -> None:
    for name in ("README.md", "SECURITY.md", "CHANGELOG.md", ".github/ISSUE_TEMPLATE/config.yml"):
        text = (ROOT / name).read_text("utf-8")
        for path in re.findall(rf"(?:{ADDRESS}/blob|{RAW})/main/([^)#\s]+)", text):
            assert (ROOT / path).is_file(), f"{name}: {path}"


def test_anchors_of_links_exist() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(rf"{ADDRESS}/blob/main/([^)#\s]+)#([^)\s]+)", text)
    assert links
    for path, anchor in links:
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert anchor in anchors, f"{path}#{anchor}"


def test_links_of_the_readme_are_absolute() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []


def test_the_address_is_in_the_files_named_above() -> None:
    left_out = (".git", ".venv", ".nox", "site", "*.egg-info", "node_modules", ".*_cache")
    done = subprocess.run(
        [
            *("grep", "-rlI", *(f"--exclude-dir={name}" for name in left_out)),
            *("djongo-services/djongo-services", "."),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 2}, done.stderr  # 2: a file of another test went meanwhile.
    assert {line.removeprefix("./") for line in done.stdout.split()} <= WITH_ADDRESS
