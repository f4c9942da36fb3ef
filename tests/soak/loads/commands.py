"""Management commands as the programs of the soak call them."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import call_command

from tests.soak.loads.load import Wrong


def run(*command: Any, **options: Any) -> tuple[int, str]:
    """The exit code and what was written to stdout. Raises CommandError for trouble."""
    said = io.StringIO()
    try:
        call_command(*command, **options, stdout=said, stderr=io.StringIO())
    except SystemExit as ended:
        return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


def must(*command: Any, **options: Any) -> str:
    """Raises Wrong where it finds a difference that was not made."""
    code, said = run(*command, **options)
    if code:
        raise Wrong(f"{' '.join(map(str, command))}: exit code {code}: {said}")
    return said
