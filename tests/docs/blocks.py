"""The code of a Markdown page: fenced blocks, and commands within sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,3} (.+)$", re.MULTILINE)
_FILE = re.compile(r"# ([\w/]+\.py)(, at the end)?\n")


@dataclass(frozen=True, kw_only=True)
class Block:
    language: str
    text: str
    section: str
    """The heading above it."""
    line: int

    @property
    def file(self) -> tuple[str, bool] | None:
        """The file that its first line names, and whether the rest is added to it."""
        match = _FILE.match(self.text)
        return (match[1], match[2] is not None) if match else None

    @property
    def for_the_shell(self) -> bool:
        return self.text.startswith("# in python manage.py shell\n")

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, without comments."""
        lines = self.text.splitlines()
        return [command for line in lines if (command := _without_comment(line))]

    @property
    def dialogue(self) -> Iterator[tuple[str, str]]:
        """Each command of a console block, and what is shown of its output."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def blocks_of(page: str) -> list[Block]:
    # A comment in code is no heading.
    text = _FENCE.sub(lambda found: re.sub(r"^#", ".", found[0], flags=re.MULTILINE), page)
    headings = [(found.start(), found[1]) for found in _HEADING.finditer(text)]
    return [
        Block(
            language=found[1],
            text=found[2],
            section=[title for start, title in headings if start < found.start()][-1],
            line=page[: found.start()].count("\n") + 1,
        )
        for found in _FENCE.finditer(page)
    ]


def matches(shown: str, output: str) -> bool:
    """Whether ``output`` matches the printed text, in which ``...`` stands for any text and, alone
    on a line, for any lines."""
    lines = shown.strip().splitlines()
    pattern = "".join(_any_lines if line == "..." else _one_line(line) for line in lines)
    return re.fullmatch(pattern, output.strip() + "\n") is not None


_any_lines = r"(?:.*\n)*?"


def _one_line(shown: str) -> str:
    parts = [re.escape(part) for part in shown.rstrip().split("...")]
    return ".*?".join(parts) + r" *\n"


def _without_comment(line: str) -> str:
    command, mark, _ = line.partition(" # ")
    return command.rstrip() if mark and _balanced(command) else line.strip()


def _balanced(command: str) -> bool:
    try:
        shlex.split(command)
    except ValueError:
        return False
    return True
