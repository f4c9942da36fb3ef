"""The blocking twin of each asynchronous module: ``make synchronous`` writes it.

Every folder ``asynchronous`` of the package has one beside it that is called ``synchronous``. It is
generated: by unasync, which drops ``async`` and ``await`` and replaces names, and by ruff. What
cannot be told from names is a function of the same meaning on both sides, such as those of
``djongo_services.transaction.uninterrupted``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from unasync import Rule, unasync_files

ROOT = Path(__file__).parent.parent

NAMES = {
    "asynchronous": "synchronous",  # folders of ours and PyMongo's
    # Classes and types.
    "AsyncBucket": "Bucket",
    "AsyncCollection": "Collection",
    "AsyncSource": "Source",
    "AsyncUploadStream": "UploadStream",
    # Functions.
    "aclosing": "closing",
    "aenter": "enter",
    "apieces": "pieces",
    "asyncio": "time",  # for sleep
    "ato_the_end": "to_the_end",
    "auninterrupted": "uninterrupted",
}
"""Names that differ on the blocking side, in addition to the language's own names."""

TIDY = "I,C416,UP028"
"""The order of imports, ``list(...)`` and ``yield from``: what the names alone do not make."""


def generated() -> dict[Path, str]:
    """The text of each synchronous module, by its path below the root."""
    sources = sorted(
        path.relative_to(ROOT) for path in ROOT.glob("djongo_services/**/asynchronous/*.py")
    )
    return {twin_of(source): text_of(source) for source in sources}


def existing() -> Iterator[Path]:
    for path in ROOT.glob("djongo_services/**/synchronous/*.py"):
        yield path.relative_to(ROOT)


def twin_of(source: Path) -> Path:
    return source.parent.with_name("synchronous") / source.name


def text_of(source: Path) -> str:
    text = blocking((ROOT / source).read_text(encoding="utf-8"), twin_of(source), NAMES)
    return f"# Generated from asynchronous/{source.name} by `make synchronous`; edit that.\n{text}"


def blocking(text: str, path: Path, names: dict[str, str]) -> str:
    """Asynchronous code as blocking code, which is to be in the file ``path``."""
    with TemporaryDirectory() as folder:
        before, after = Path(folder, "asynchronous"), Path(folder, "synchronous")
        before.mkdir()
        (before / path.name).write_text(text, encoding="utf-8")
        unasync_files([str(before / path.name)], [Rule(f"{before}/", f"{after}/", names)])
        text = (after / path.name).read_text(encoding="utf-8")
    text = ruff("check", "--fix-only", "--unsafe-fixes", "--select", TIDY, text=text, path=path)
    return ruff("format", text=text, path=path)


def ruff(*arguments: str, text: str, path: Path) -> str:
    command = [
        sys.executable,
        "-m",
        "ruff",
        *arguments,
        "--quiet",
        "--stdin-filename",
        str(path),
        "-",
    ]
    done = subprocess.run(command, input=text, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def main() -> None:
    texts = generated()
    for path in existing():
        if path not in texts:
            (ROOT / path).unlink()
    for path, text in texts.items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
