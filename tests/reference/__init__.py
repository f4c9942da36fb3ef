"""docs/reference, generated from the code: ``make reference`` writes it, a test compares.

A page is a function without arguments. What the pages list is found in the code, so that nothing
which is added is left out: settings are the fields of ``conf``, options those of the commands'
parsers, names those of ``__all__``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def pages() -> dict[str, str]:
    """The text of each page, by its file's name. Django must be set up."""
    from tests.reference import checks, classes, commands, python, settings

    made: dict[str, Callable[[], str]] = {
        "checks.md": checks.page,
        "commands.md": commands.page,
        "exceptions.md": classes.exceptions_page,
        "python.md": python.page,
        "settings.md": settings.page,
        "signals.md": classes.signals_page,
    }
    return {name: page() for name, page in made.items()}
