"""A provider that can be made to wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path


def waiting(names: Sequence[str]) -> set[str]:
    """Says that it was asked by one file, and answers when there is another."""
    if names and (folder := os.environ.get("COLLECTOR_FOLDER")):
        (Path(folder) / "asked").touch()
        while not (Path(folder) / "answer").exists():
            threading.Event().wait(0.02)
    return set()


waiting.buckets = ("fs",)  # type: ignore[attr-defined]
