"""Commands speak the active language to people; what machines read is English."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import load_command_class
from django.utils import translation
from pymongo.database import Database

from djongo_services.management.progress_line import describe_progress
from djongo_services.progress import Progress
from tests.commands.conftest import Run
from tests.commands.test_base import OURS
from tests.commands.test_syncmongoschema import library, sync

__all__ = ["library"]


@pytest.fixture
def german() -> Iterator[None]:
    with translation.override("de"):
        yield


@pytest.mark.parametrize("name", [*OURS, "mongod"])
def test_helps(german: None, name: str) -> None:
    parser = load_command_class("djongo_services", name).create_parser("manage.py", name)
    text = " ".join(parser.format_help().split())
    assert "(Vorgabe: " in text
    assert "(default: " not in text
    assert "%(" not in text


def test_an_error(german: None, inspectmongo: Run) -> None:
    result = inspectmongo("--show-secrets")
    assert result.code == 2
    assert "--show-secrets erfordert --values; ohne das werden keine Werte gelesen." in (
        result.stderr
    )


def test_where_the_work_is(german: None) -> None:
    at = Progress(collection="notes", phase="proof", done=0, rounds=2)
    assert describe_progress(at) == "notes: Beweis, Runde 2"
    assert describe_progress(Progress(collection="", phase="catalog", done=0)) == "Katalog"
    assert describe_progress(Progress(collection="a", phase="build", done=0)) == "a: build"


def test_an_error_of_the_connection(
    german: None, run: Run, connect_to: Callable[..., None]
) -> None:
    connect_to("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100", "nothing")
    result = run("--format", "json")
    assert result.code == 2
    assert "ist nicht erreichbar: " in result.stderr
    assert "Starten Sie den Server, oder berichtigen Sie HOST" in result.stderr


@pytest.mark.django_db
class TestPlans:
    def test_a_plan(self, german: None, library: Database[Any]) -> None:
        lines = sync("--plan").stdout.splitlines()
        assert lines[1].startswith("  + ")
        assert any(line.endswith("  (langsam)") for line in lines)
        assert lines[-1].startswith("Plan: ")
        assert " hinzuzufügen; " in lines[-1]
        assert lines[-1].endswith(" Schritte.")

    def test_a_plan_as_json_is_the_same(self, library: Database[Any]) -> None:
        library.books.insert_one({"_id": 1, "title": "T", "author_id": 1, "pages": 1})
        text = sync("--plan", "--format", "json").stdout
        with translation.override("de"):
            assert sync("--plan", "--format", "json").stdout == text
        assert "about 0 to 1 second" in text

    def test_the_history(self, german: None, library: Database[Any]) -> None:
        result = sync()
        assert "Schritte im Lauf" in result.stderr
        text = sync("--history").stdout
        assert "BEGONNEN (UTC)" in text
        assert " fertig " in text
        (run,) = json.loads(sync("--history", "--format", "json").stdout)["runs"]
        assert run["status"] == "done"
        assert " collections" in run["summary"]

    def test_an_unknown_model(self, german: None, library: Database[Any]) -> None:
        result = sync("--plan", "library.Boook")
        assert result.code == 2
        assert "Die App 'library' hat kein Model 'Boook'; meinten Sie Book?" in result.stderr

    def test_no_run(self, german: None, library: Database[Any]) -> None:
        result = sync("--rollback", "x")
        assert result.code == 2
        assert result.stderr.endswith("Es gibt keinen Lauf 'x'; --history listet die Läufe auf.\n")
