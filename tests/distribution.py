"""The package as a stranger gets it: built once for all tests, and installed into environments
that have nothing else.

Building and installing ask the package registry that pip is set up with for what is not in pip's
cache, as make setup does. Where none can be reached they fail, with what pip says.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT

PATIENCE = pytest.mark.timeout(1800)
"""For tests of many processes, the first of which also builds and installs: half a minute's work,
which a busy machine may stretch."""
NOT_OURS = shutil.ignore_patterns(
    ".git",
    ".nox",
    ".venv",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    ".coverage*",
    "*.egg-info",
    "build",
    "dist",
    "site",
    "var",
    "results",
    "node_modules",
    "screenshots",
)
"""Files that make, tests and tools leave in a clone."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """A virtual environment, which sees what the ones below it have as its own."""

    folder: Path
    below: Environment | None = None

    @property
    def packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.folder / "lib" / version / "site-packages"

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a shell that activated it; ``pip`` is the tests' own."""
        folders = [str(each.folder / "bin") for each in self.layers]
        kept = _inherited()
        return {
            **kept,
            "PATH": os.pathsep.join([*folders, str(Path(sys.executable).parent), os.defpath]),
            "PIP_PYTHON": str(self.folder / "bin" / "python"),
            "PIP_NO_COMPILE": "1",
            "PIP_FIND_LINKS": f"{kept.get('PIP_FIND_LINKS', '')} {self.folder.parent / 'dist'}",
            "PIP_CONSTRAINT": str(self.folder.parent / "constraints.txt"),
        }

    @property
    def layers(self) -> list[Environment]:
        return [self, *(self.below.layers if self.below else [])]

    def run(
        self, *command: str, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd,
            env={**self.variables, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OWN}


_OWN = frozenset(
    {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV"}
    | {"PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER"}
    | {name for name in os.environ if name.startswith(("COV_", "COVERAGE_"))}
)
"""Variables of the tests' own process."""


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """The result of ``python -m build`` on a clean copy, its log, and the wheel installed alone."""

    folder: Path
    log: str
    base: Environment

    @property
    def source(self) -> Path:
        """The copy, with what building left in it."""
        return self.folder / "source"

    @property
    def wheel(self) -> Path:
        return next((self.folder / "dist").glob("*.whl"))

    @property
    def sdist(self) -> Path:
        return next((self.folder / "dist").glob("*.tar.gz"))

    def environment(self, name: str) -> Environment:
        """An environment that has the package and what it needs, but no extra."""
        return _new_environment(self.folder / name, self.base)


@pytest.fixture(scope="session")
def distribution(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Distribution:
    """Built and installed by the first process of a test run that asks."""
    temporary = tmp_path_factory.getbasetemp()
    shared = temporary.parent if hasattr(request.config, "workerinput") else temporary
    folder = shared / "distribution"
    with _locked(shared / "distribution.lock"):
        done = folder / "build.log"
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            log = _build(folder)
            _install(folder)
            done.write_text(log)
        base = Environment(folder=folder / "base")
        return Distribution(folder=folder, log=done.read_text(), base=base)


def install(environment: Environment, *what: str, cwd: Path) -> None:
    _succeeded(environment.run("pip", "install", "--quiet", *what, cwd=cwd))


def _build(folder: Path) -> str:
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=NOT_OURS)
    done = subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder / "dist"), str(source)],
        cwd=folder,
        env=_inherited(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    return _succeeded(done)


def _install(folder: Path) -> None:
    pinned = (ROOT / "requirements.txt").read_text()
    (folder / "constraints.txt").write_text(re.sub(r"\[.*?\]", "", pinned))
    base = _new_environment(folder / "base", None)
    install(base, "djongo-services", cwd=folder)


def _new_environment(folder: Path, below: Environment | None) -> Environment:
    venv.create(folder, with_pip=False, symlinks=True)
    made = Environment(folder=folder, below=below)
    if below is not None:
        lower = [str(each.packages) for each in below.layers]
        (made.packages / "below.pth").write_text("\n".join(lower) + "\n")
    return made


def _succeeded(done: subprocess.CompletedProcess[str]) -> str:
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
