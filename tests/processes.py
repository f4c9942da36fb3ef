"""Where the processes that tests start find their imports."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent
STARTUP = Path(__file__).parent / "startup"
"""Its sitecustomize.py makes them start faster."""


def python_path(*folders: Path | str) -> str:
    """``PYTHONPATH``: these folders, followed by those of this process."""
    return os.pathsep.join(map(str, [*folders, ROOT, STARTUP]))
