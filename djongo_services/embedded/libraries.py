"""Shared libraries that a mongod wants: OpenSSL 1.1 from a wheel, advice for the others."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from djongo_services.exceptions import EmbeddedServerError

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
    """The library that the system's loader complains about (Linux and macOS wording)."""
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

    The ``psycopg2-binary`` wheel carries it under names with a hash, such as
    ``libssl-3e69114b.so.1.1``; ``folder`` gets symbolic links with the plain names. Only the
    process that is run with this environment sees them.

    Raises EmbeddedServerError when the wheel is not installed or carries another version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in OPENSSL:
        target = _in_wheel(name)
        if target is None:
            raise EmbeddedServerError(missing_library_advice(binary, name))
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    variable = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    present = os.environ.get(variable)
    return {**os.environ, variable: f"{folder}{os.pathsep}{present}" if present else str(folder)}


def _in_wheel(name: str) -> Path | None:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        folder = Path(str(distribution("psycopg2-binary").locate_file("psycopg2_binary.libs")))
    except PackageNotFoundError:
        return None
    stem, dot, suffix = name.partition(".so")
    return next(iter(sorted(folder.glob(f"{stem}-*{dot}{suffix}"))), None)
