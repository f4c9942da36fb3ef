"""The management commands: their arguments, exit codes and examples."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from tests.reference.markdown import GENERATED, PACKAGE, cell, table

HEAD = """# Commands

`manage.py COMMAND --help` prints the same. Each command takes Django's own options as well
(`--settings`, `--verbosity`, `--no-color`, `--traceback` and others). Results go to stdout,
progress and errors to stderr. An error is one line, and exit code 2. What people read is in the
language of `LANGUAGE_CODE`, where there is a translation (German); for scripts there is JSON, which
is the same in each language.

"""
EXAMPLES = {
    "inspectmongo": [
        ("inspectmongo", "a sample of every collection"),
        (
            "inspectmongo notes --depth complete --values",
            "one collection, every type proven, with values",
        ),
        ("inspectmongo --format html --output report.html", "a page"),
        (
            "inspectmongo --format models --depth complete --values --output models.py",
            "Django models",
        ),
        ("inspectmongo --baseline shapes.json --check", "what changed since a report, for CI"),
        ("inspectmongo --against-models --check --fail-on breaks", "what the models refuse"),
    ],
    "syncmongoschema": [
        ("syncmongoschema --plan", "what would be done"),
        ("syncmongoschema", "do it"),
        (
            "syncmongoschema --check --references",
            "for CI: exit code 1 where anything differs or dangles",
        ),
        (
            "syncmongoschema --prune drop --allow-destructive --noinput shop",
            "also drop what no model declares",
        ),
        ("syncmongoschema --violations 3", "documents that break the rules, with the reason"),
        ("syncmongoschema --plan --format json --output plan.json", "keep a plan"),
        ("syncmongoschema --from-plan plan.json", "apply exactly it"),
        ("syncmongoschema --history", "the latest runs"),
        ("syncmongoschema --rollback 6b03012760cab2507db76ae9", "undo one"),
    ],
    "gridfs_gc": [
        ("gridfs_gc --dry-run", "what would be collected"),
        ("gridfs_gc media --noinput", "collect it into the trash"),
        (
            "gridfs_gc --check --only broken --verify",
            "read every byte; exit code 1 where one is wrong",
        ),
        ("gridfs_gc --restore plates/a.jpg", "put a file back"),
        ("gridfs_gc --purge --older-than 90d --noinput", "delete for good"),
    ],
    "move_djongo_files": [
        ("move_djongo_files default --dry-run", "what would be moved"),
        ("move_djongo_files default --folder v1.2=v1.2", "a folder with a dot in its name"),
    ],
    "mongod": [
        ("mongod", "a server that leaves nothing behind"),
        ("mongod --port 27017 --path mongodb", "one that keeps its data"),
        ("mongod --members 3", "a replica set of three"),
    ],
    "inspectdb": [
        ("inspectdb", "models of the database, on the engine"),
        ("inspectdb notes people --include-views", "of these"),
    ],
}
EXIT_CODES = {
    "inspectmongo": "0 success, 1 something differs (`--check`), 2 error, 130 interrupted",
    "syncmongoschema": "0 done or in sync, 1 `--check` found something, 2 error, refused or "
    "migrations wait, 3 another run holds the lease, 130 interrupted",
    "gridfs_gc": "0 done, 1 `--check` found something, 2 error, 3 another run is in progress, "
    "130 interrupted",
    "move_djongo_files": "0 done, 2 error or some files stayed, 3 another run is in progress",
    "mongod": "0 stopped, 2 error",
    "inspectdb": "0 done, 1 error",
}


def page() -> str:
    parts = [GENERATED, HEAD]
    for name in commands():
        parts.append(f"## `{name}`\n\n{command(name).help}\n\nExit codes: {EXIT_CODES[name]}.\n\n")
        parts.append("```sh\n")
        width = max(len(line) for line, _ in EXAMPLES[name])
        parts += [f"python manage.py {line:{width}}  # {about}\n" for line, about in EXAMPLES[name]]
        parts.append("```\n\n")
        parts.append(table("Argument", "Means", rows=_rows(name)) + "\n")
    return "".join(parts)


def commands() -> list[str]:
    folder = PACKAGE / "management" / "commands"
    return sorted(path.stem for path in folder.glob("[!_]*.py"))


def command(name: str) -> BaseCommand:
    return load_command_class("djongo_services", name)


def parser(name: str) -> argparse.ArgumentParser:
    return command(name).create_parser("manage.py", name)


def options(name: str) -> Iterator[argparse.Action]:
    """Those that Django does not give to every command."""
    plain = {
        text
        for action in BaseCommand().create_parser("", "")._actions
        for text in action.option_strings
    }
    for action in parser(name)._actions:
        if plain.isdisjoint(action.option_strings) or action.dest == "database":
            yield action


def example_arguments(line: str) -> list[str]:
    return shlex.split(line)[1:]


def _rows(name: str) -> Iterator[tuple[str, str]]:
    for action in options(name):
        choices = ", ".join(map(str, action.choices or ()))
        said = (action.help or "") % {**vars(action), "prog": "manage.py", "choices": choices}
        yield _usage(action), said


def _usage(action: argparse.Action) -> str:
    metavar = action.metavar or (
        "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()
    )
    many = " ..." if action.nargs in {"*", "+"} else ""
    if not action.option_strings:
        return f"`{metavar}{many}`"
    value = "" if action.nargs == 0 else f" {metavar}{many}"
    return ", ".join(f"`{cell(text)}{value}`" for text in action.option_strings)
