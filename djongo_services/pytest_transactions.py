"""pytest fixtures for tests in a transaction; installed with the package.

============================ =======================================================
``mongodb_rollback``         the test runs in a transaction that is rolled back
``mongodb_capture_on_commit`` the function ``capture_on_commit`` of the test helpers
============================ =======================================================

On a connection that shares the ORM's database, the test requests it from pytest-django as usual.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from djongo_services.transaction.testing import Capture


@pytest.hookimpl(trylast=True)
def pytest_sessionstart() -> None:
    """Create test databases in addition to pytest-django's, once it has set Django up."""
    if "django" not in sys.modules:
        return
    from django.apps import apps

    if apps.ready and apps.is_installed("djongo_services"):
        from djongo_services.testing import hooks

        hooks.install()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Clean up with --reuse-db, where pytest-django ends without informing Django."""
    if (hooks := sys.modules.get("djongo_services.testing.hooks")) is not None:
        hooks.forget()


@pytest.fixture
def mongodb_rollback() -> Iterator[None]:
    """Roll back what the test does on the connection "default"."""
    from djongo_services.transaction.testing import rolled_back

    with rolled_back():
        yield


@pytest.fixture
def mongodb_capture_on_commit() -> Callable[..., Capture]:
    """``with mongodb_capture_on_commit(execute=True) as callbacks:``"""
    from djongo_services.transaction.testing import capture_on_commit

    return capture_on_commit
