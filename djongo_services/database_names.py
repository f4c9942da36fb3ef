"""The name of a connection's database while tests run."""

from __future__ import annotations

import hashlib
import os
import sys

from djongo_services.conf import ConnectionSettings, settings

PREFIX = "test_"
"""The same as Django's own prefix."""
_LONGEST = 63
"""The maximum length of a database's name in bytes, from MongoDB's manual."""
_COPIED = 40


def is_testing() -> bool:
    """Whether Django's test environment is set up, which its runner and pytest-django do first."""
    utils = sys.modules.get("django.test.utils")
    return utils is not None and hasattr(utils._TestState, "saved_data")


def database_name(configured: ConnectionSettings) -> str:
    """The current database of a connection with a server of its own.

    In a test run that is ``TEST["NAME"]``, or ``test_`` followed by the name unless it has that
    prefix already, and a suffix for each parallel worker.
    """
    return name_in_tests(configured, worker_suffix()) if is_testing() else configured.name


def name_in_tests(configured: ConnectionSettings, suffix: str = "") -> str:
    if configured.test_mirror is not None:
        return name_in_tests(settings.connections[configured.test_mirror], suffix)
    name = configured.test_name or configured.name
    if not configured.test_name and not name.startswith(PREFIX):
        name = f"{PREFIX}{name}"
    return with_suffix(name, suffix) if suffix else name


def with_suffix(name: str, suffix: str) -> str:
    """The name with the suffix, added only once, and within the server's limit."""
    if name.endswith(f"_{suffix}"):
        return name
    return f"{name.encode()[: _LONGEST - len(suffix) - 1].decode(errors='ignore')}_{suffix}"


def prefix_of_copies(name: str) -> str:
    """The prefix, without the number, of the databases that contain copies of a test database's
    documents."""
    if len(name) > _COPIED:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: _COPIED - len(digest) - 1]}_{digest}"
    return f"{name}_level"


def worker_suffix() -> str:
    """``1`` in the first of Django's parallel workers, ``gw0`` in pytest-xdist's, otherwise
    empty."""
    runner = sys.modules.get("django.test.runner")
    if number := getattr(runner, "_worker_id", 0):
        return str(number)
    parts = (os.environ.get("PYTEST_XDIST_WORKER"), os.environ.get("TOX_PARALLEL_ENV"))
    return "_".join(part for part in parts if part)
