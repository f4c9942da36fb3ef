"""The project of a reader who follows a page: its blocks are carried out as they are printed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.distribution import Environment
from tests.docs.blocks import Block, matches
from tests.engine.projects.serving import Browser, served

SERVER = "python manage.py mongod --port 27017 --path mongodb"
SITE = "python manage.py runserver"


@dataclass
class ReadersProject:
    """An empty folder, an activated environment, and what the reader has running in other
    terminals: these two commands are started without the port that is printed, because it may be
    taken here."""

    folder: Path
    environment: Environment
    variables: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    """Commands, as they were printed."""
    printed: list[str] = field(default_factory=list)
    """The output of the code for the shell."""
    _server: subprocess.Popen[str] | None = None

    def follow(self, blocks: list[Block]) -> None:
        for block in blocks:
            if block.file is not None:
                self._write(block)
            elif block.for_the_shell:
                self.printed.append(self.run("python manage.py shell", stdin=block.text))
            elif block.language == "console":
                self._talk(block)
            else:
                for command in block.commands:
                    self.run(command)

    def run(self, command: str, stdin: str = "", code: int = 0) -> str:
        """The command's stdout."""
        return self._run(command, stdin, code)[0]

    def _run(self, command: str, stdin: str = "", code: int = 0) -> tuple[str, str]:
        """The command's stdout and stderr."""
        self.done.append(command)
        if command == SERVER:
            self._start_server()
            return "", ""
        if command == SITE:
            self._visit()
            return "", ""
        ran = self.environment.run(
            "sh", "-c", command, cwd=self.folder, stdin=stdin, env=self.variables
        )
        assert ran.returncode == code, f"$ {command}\n{ran.stdout}{ran.stderr}"
        return ran.stdout, ran.stderr

    def end(self) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.communicate(timeout=60)

    @contextmanager
    def site(self) -> Iterator[Browser]:
        environment = {**self.environment.variables, **self.variables}
        python = str(self.environment.folder / "bin" / "python")
        with served(self.folder, environment, python) as browser:
            yield browser

    def _write(self, block: Block) -> None:
        assert block.file is not None
        name, at_the_end = block.file
        path = self.folder / name
        before = path.read_text() + "\n" if at_the_end else ""
        path.write_text(before + block.text)

    def _talk(self, block: Block) -> None:
        for command, shown in block.dialogue:
            results, messages = self._run(command)
            found = not shown or matches(shown, results) or matches(shown, messages)
            assert found, f"$ {command}\n{results}{messages}"

    def _start_server(self) -> None:
        command = SERVER.replace(" --port 27017", "")
        self._server = subprocess.Popen(
            ["sh", "-c", f"exec {command}"],
            cwd=self.folder,
            env={**self.environment.variables, **self.variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        uri = self._server.stdout.readline().strip()
        assert uri.startswith("mongodb://"), uri
        self.variables["MONGODB_URI"] = uri

    def _visit(self) -> None:
        """The reader's next step: log in at the address that is printed beside the command."""
        with self.site() as browser:
            page = browser.post("/admin/login/?next=/admin/", username="admin", password="admin")
            assert "Site administration" in page
            assert "Collections" in page


def readers_project(
    folder: Path, environment: Environment, variables: Mapping[str, str] | None = None
) -> ReadersProject:
    folder.mkdir(parents=True)
    width = {"COLUMNS": os.environ.get("COLUMNS", "100")}
    return ReadersProject(
        folder=folder, environment=environment, variables={**width, **(variables or {})}
    )
