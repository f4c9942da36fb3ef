"""The common parts of all commands: arguments, the connection, output and exit codes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command, load_command_class
from django.core.management.base import BaseCommand
from pymongo.database import Database

import djongo_services.management.commands as package
from djongo_services.management.base import ServiceCommand
from tests.commands.conftest import Run, run_inspectmongo

COMMANDS = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
OURS = [
    name
    for name in COMMANDS
    if issubclass(importlib.import_module(f"{package.__name__}.{name}").Command, ServiceCommand)
]


def arguments(command: BaseCommand) -> dict[str, set[str]]:
    """Names in ``options`` to the strings on the command line."""
    parser = command.create_parser("manage.py", "command")
    return {action.dest: set(action.option_strings) for action in parser._actions}


class Bare(BaseCommand):
    """Django's own options, system checks included."""


@pytest.mark.parametrize("name", COMMANDS)
def test_no_argument_shadows_djangos(name: str) -> None:
    command = load_command_class("djongo_services", name)
    assert isinstance(command, BaseCommand)
    djangos = arguments(Bare())
    own = {dest: found for dest, found in arguments(command).items() if dest not in djangos}
    reserved = {"args", "stdout", "stderr", "skip_checks"}
    assert not reserved & own.keys()
    taken = set().union(*djangos.values())
    for dest, strings in arguments(command).items():
        assert djangos.get(dest, strings) == strings
        assert dest in djangos or not strings & taken


@pytest.mark.parametrize("name", OURS)
def test_every_argument_has_a_help(name: str) -> None:
    command = load_command_class("djongo_services", name)
    parser = command.create_parser("manage.py", name)
    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize("name", OURS)
def test_they_share_their_options(name: str) -> None:
    found = arguments(load_command_class("djongo_services", name))
    assert {"database", "format", "output", "no_color", "verbosity"} <= found.keys()


def test_a_wrong_argument_is_one_sentence_and_trouble(inspectmongo: Run) -> None:
    result = inspectmongo("--depth", "deepest")
    assert result.code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("CommandError: argument --depth: invalid choice: 'deepest'")
    assert result.stderr.count("\n") == 1


def test_colour_and_no_colour_at_once_is_trouble(inspectmongo: Run) -> None:
    assert inspectmongo("--no-color", "--force-color").code == 2


def test_an_unknown_connection(inspectmongo: Run) -> None:
    result = inspectmongo("--database", "archive")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == (
        "CommandError: The MongoDB connection 'archive' is not in "
        "DJONGO_SERVICES[\"CONNECTIONS\"]; configured: 'default'.\n"
    )


def test_no_connection_at_all(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {}}
    result = run_inspectmongo()
    assert result.code == 2
    assert "No MongoDB connection is configured; write DJONGO_SERVICES = {" in result.stderr


def test_wrong_settings(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"CONECTIONS": {}}
    result = run_inspectmongo()
    assert result.code == 2
    assert "unknown key 'CONECTIONS'" in result.stderr


def test_a_connection_that_shares_what_does_not_exist(settings: Any) -> None:
    settings.DJONGO_SERVICES = {"CONNECTIONS": {"default": {"DATABASE": "missing"}}}
    result = run_inspectmongo()
    assert result.code == 2
    assert result.stderr == (
        "CommandError: The connection 'default' shares DATABASES['missing'], "
        "which does not exist.\n"
    )


def test_an_unreachable_server_says_before_how_long_it_waits(
    connect_to: Callable[..., None],
) -> None:
    connect_to("mongodb://user:s3cret@127.0.0.1:1/?serverSelectionTimeoutMS=200", "archive")
    result = run_inspectmongo()
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == (
        "Connecting to 'default' (127.0.0.1:1/test_archive), for at most 0.2 s.\n"
        "CommandError: The MongoDB server of the connection 'default' (127.0.0.1:1/test_archive) "
        "cannot be reached: 127.0.0.1:1: [Errno 111] Connection refused. "
        "Start the server, or correct HOST in the settings.\n"
    )


def test_quiet_with_verbosity_0(connect_to: Callable[..., None]) -> None:
    connect_to("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50", "archive")
    assert run_inspectmongo("-v", "0").stderr.startswith("CommandError: ")


def test_wrong_credentials(
    database: Database[Any], connect_to: Callable[..., None], mongodb_server: Any
) -> None:
    connect_to(mongodb_server.uri, database.name, USER="nobody", PASSWORD="s3cret")
    result = run_inspectmongo("-v", "0")
    assert (result.code, result.stdout) == (2, "")
    assert "refused the user name or the password; correct USER and PASSWORD" in result.stderr
    assert "s3cret" not in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("uri", "secret"),
    [
        ("mongodb://user:pa55/word@localhost:1/", "pa55"),
        ("mongodb://user:p%zz@localhost:1/", "p%zz"),
        ("mongodb://localhost:99999999/", "never"),
        ("http://user:pa55@localhost/", "pa55"),
    ],
)
def test_settings_that_the_driver_refuses_tell_no_secret(
    connect_to: Callable[..., None], uri: str, secret: str
) -> None:
    connect_to(uri, "archive")
    result = run_inspectmongo()
    assert result.code == 2
    assert "CommandError: " in result.stderr
    assert secret not in result.stderr


@pytest.mark.parametrize(
    ("uri", "code", "words"),
    [
        ("mongodb://user:pa55/word@127.0.0.1:1/", 2, "settings that MongoClient refuses: "),
        ("mongodb://user:pa55word@127.0.0.1:1/?serverSelectionTimeoutMS=50", 2, "Start the server"),
    ],
)
def test_a_connection_shared_with_the_orm(manage: Any, uri: str, code: int, words: str) -> None:
    done = manage("inspectmongo", "-v", "0", env={"DJONGO_SERVICES_TEST_URI": uri})
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "pa55" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_engine_that_is_not_installed(manage: Any) -> None:
    done = manage("inspectmongo", settings="tests.commands.settings_without_backend")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "CommandError: The ENGINE of a DATABASES alias cannot be imported"
    )
    assert done.stderr.endswith("install it: pip install 'djongo-services[backend]'.\n")
    assert done.stderr.count("\n") == 1


def test_a_server_that_the_backend_refuses(manage: Any) -> None:
    too_new = (
        "import sys\n"
        "from django_mongodb_backend.features import DatabaseFeatures\n"
        "DatabaseFeatures.minimum_database_version = (99, 0)\n"
        "from django.core.management import execute_from_command_line as run\nrun(sys.argv)"
    )
    done = manage("inspectmongo", "-v", "0", code=too_new)
    assert (done.returncode, done.stdout) == (2, "")
    assert "MongoDB 99.0 or later is required" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk(inspectmongo: Run) -> None:
    result = inspectmongo("--output", "/dev/full", "-v", "0")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr == (
        "CommandError: Cannot write '/dev/full': No space left on device; free some space.\n"
    )


def test_output_goes_to_the_file_alone(inspectmongo: Run, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    result = inspectmongo("--format", "json", "--output", str(file))
    assert (result.code, result.stdout) == (0, "")
    assert file.read_text().startswith('{\n  "format_version": 1,')
    assert f"Wrote {file} ({file.stat().st_size:,} bytes).\n" in result.stderr


@pytest.mark.parametrize("place", ["missing/report.json", "", "file/report.json"])
def test_an_output_that_cannot_be_written_is_said_before_the_work(
    inspectmongo: Run, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("kept")
    result = inspectmongo("--output", str(tmp_path / place))
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"CommandError: Cannot write '{tmp_path / place}': ")
    assert result.stderr.count("\n") == 1
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_path_is_as_good_as_its_text(inspectmongo: Run, tmp_path: Path) -> None:
    assert inspectmongo(output=tmp_path / "a.txt").code == 0
    assert inspectmongo(output=str(tmp_path / "b.txt")).code == 0
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "b.txt").read_text()


def test_a_piped_report_has_no_colour(inspectmongo: Run, database: Database[Any]) -> None:
    database.things.insert_one({})
    assert "\x1b" not in inspectmongo().stdout


def test_colour_can_be_forced(
    inspectmongo: Run, database: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    database.things.insert_one({})
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" in inspectmongo("--force-color").stdout


class Terminal:
    """A text stream that says it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("refused", [None, "--no-color", "NO_COLOR", "TERM"])
def test_colour_on_a_terminal_unless_refused(
    inspectmongo: Run,
    database: Database[Any],
    monkeypatch: pytest.MonkeyPatch,
    refused: str | None,
) -> None:
    database.things.insert_one({})
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if refused in ("NO_COLOR", "TERM"):
        monkeypatch.setenv(refused, "dumb")
    terminal = Terminal()
    options = [refused] if refused == "--no-color" else []
    call_command("inspectmongo", "-v", "0", *options, stdout=terminal)
    assert ("\x1b[" in terminal.text) == (refused is None)


def test_a_plain_command_error_is_trouble_too(inspectmongo: Run) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("inspectmongo", sample=0)
    assert caught.value.returncode == 2


def test_an_operation_is_named_as_people_name_it() -> None:
    """PyMongo writes the members of an enum into some of its errors."""
    from pymongo.errors import DocumentTooLarge
    from pymongo.operations import _Op

    from djongo_services.connections import connections
    from djongo_services.error_messages import describe_error

    error = DocumentTooLarge(f"{_Op.FIND_AND_MODIFY} command document too large")
    sentence = describe_error(error, connections["default"])
    assert sentence.endswith(" failed: find and modify command document too large.")


def test_a_recovering_member_is_not_a_wrong_setting() -> None:
    """PyMongo raises this for sessions on a connection to a member that was not ready."""
    from pymongo.errors import ConfigurationError

    from djongo_services.connections import connections
    from djongo_services.error_messages import describe_error

    error = ConfigurationError("Sessions are not supported by this MongoDB deployment")
    sentence = describe_error(error, connections["default"])
    assert sentence.endswith(" is not ready. Run the command again when the server is back.")
