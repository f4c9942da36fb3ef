"""Blocks that fail, as tests of a rollback need them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
from django.db import transaction


def names_constraints(database: Any) -> bool:
    """Whether the server's refusals contain the titles of schemas: from 5.1 on."""
    return tuple(database.client.server_info()["versionArray"][:2]) >= (5, 1)


class Undo(Exception):
    """Ends a block that must be rolled back."""


@contextmanager
def rolled_back(block: AbstractContextManager[Any] | None = None) -> Iterator[None]:
    """Within the block, Django's atomic (or ``block``), which an exception ends."""
    with suppress(Undo), block or transaction.atomic():
        yield
        raise Undo


@contextmanager
def failing(error: type[Exception]) -> Iterator[Any]:
    """``pytest.raises`` around a block of several statements."""
    with pytest.raises(error) as raised:
        yield raised
