"""``python -m tests.reference [FOLDER]``: write the pages, by default into docs/reference."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import django

from tests.reference import FOLDER, pages


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.admin.settings_sql")
    django.setup()
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
