"""pytest fixtures for tests in a transaction; installed with the package.

============================ =======================================================
``mongodb_rollback``         the test runs in a transaction that is rolled back
``mongodb_capture_on_commit`` the function ``capture_on_commit`` of the test helpers
============================ =======================================================

On a connection that shares the ORM's database, the test asks pytest-django for it as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest


@pytest.fixture
def mongodb_rollback() -> Iterator[None]:
    """Roll back what the test does on the connection "default"."""
    from djongo_services.transaction.testing import rolled_back

    with rolled_back():
        yield


@pytest.fixture
def mongodb_capture_on_commit() -> Callable[..., AbstractContextManager[list[Any]]]:
    """``with mongodb_capture_on_commit(execute=True) as callbacks:``"""
    from djongo_services.transaction.testing import capture_on_commit

    return capture_on_commit
