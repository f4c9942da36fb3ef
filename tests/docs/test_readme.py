"""README: each of its commands and blocks of code is carried out as it is printed, in an empty
folder, with the package installed from its wheel."""

from __future__ import annotations

import re
import subprocess

from tests.conftest import ROOT
from tests.distribution import PATIENCE
from tests.docs.blocks import Block, blocks_of
from tests.docs.project import ReadersProject

pytestmark = PATIENCE

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks_of(TEXT)
ENGINE = "A: Django's ORM on MongoDB, with this package's engine"
STOCK = "A: the same on django-mongodb-backend alone"
SQL = "B: the ORM on SQL, MongoDB through PyMongo"
EXAMPLES = "One example each"
FOLLOWED = (ENGINE, STOCK, SQL, EXAMPLES)
"""Sections whose blocks the tests below carry out, all of them."""
NOT_FOLLOWED = {
    "djongo_services": "make test runs this test; make demo serves until Ctrl-C, and CI runs make "
    "demo-check, which does the same without serving",
}
LONGEST = 200

MAKE_MIGRATIONS = "python manage.py makemigrations admin auth contenttypes"


def of(section: str) -> list[Block]:
    found = [block for block in BLOCKS if block.section == section]
    assert found, section
    return found


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= LONGEST


def test_every_block_is_followed_or_said_why_not() -> None:
    sections = {block.section for block in BLOCKS}
    assert sections == {*FOLLOWED, *NOT_FOLLOWED}
    assert {block.language for block in BLOCKS} == {"sh", "python", "console"}
    for block in BLOCKS:
        if block.language == "python":
            assert block.file or block.for_the_shell, f"line {block.line} names no place"


def test_make_has_what_is_not_followed() -> None:
    commands = [command for block in of("djongo_services") for command in block.commands]
    assert commands == ["make demo", "make test"]
    for command in commands:
        subprocess.run([*command.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_with_the_engine_and_one_example_each(reader: ReadersProject) -> None:
    reader.follow(of(ENGINE))
    reader.run(inline("python manage.py startapp shop"))
    models, settings, *examples = of(EXAMPLES)
    reader.follow([models, settings])
    reader.run(inline("python manage.py makemigrations"))
    reader.run(inline("migrate").replace("migrate", "python manage.py migrate"))
    reader.follow(examples)
    assert "<title>" in (reader.folder / "report.html").read_text()
    assert promised(EXAMPLES) == ["['covers/ice.txt']"]
    assert all(any(one in said for said in reader.printed) for one in promised(EXAMPLES))


def test_on_the_stock_backend(reader: ReadersProject) -> None:
    install, server = [block for block in of(ENGINE) if block.language == "sh"]
    reader.follow([install, *of(STOCK)])
    start, *rest = server.commands
    reader.run(start)
    reader.run(inline(MAKE_MIGRATIONS))
    for command in rest:
        reader.run(command)
    assert "No changes detected" in reader.run("python manage.py makemigrations --check")


def test_with_the_orm_on_sql(reader: ReadersProject) -> None:
    settings, shell = of(SQL)
    install, server = [block for block in of(ENGINE) if block.language == "sh"]
    pip, *start = install.commands
    reader.run(inline(pip.replace("[backend,embedded]", "[embedded]")))
    for command in start:
        reader.run(command)
    reader.follow([settings, server, shell])
    found = (
        "from djongo_services.connections import connections\n"
        "print(connections['default'].database.notes.count_documents({}))"
    )
    assert reader.run("python manage.py shell", stdin=found).strip().endswith("1")
    reader.run("python -c 'import django_mongodb_backend'", code=1)


def promised(section: str) -> list[str]:
    """The output that the page prints after the code."""
    code = "\n".join(block.text for block in of(section))
    return re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)


def inline(command: str) -> str:
    """A command within a sentence."""
    assert f"`{command}`" in TEXT, command
    return command


def test_every_command_in_a_sentence_is_run() -> None:
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    commands = set(re.findall(r"`((?:python|pip|make|django-admin) [^`]+)`", prose))
    assert commands == {
        "python manage.py startapp shop",
        "python manage.py makemigrations",
        MAKE_MIGRATIONS,
        "pip install 'djongo-services[embedded]'",
    }
