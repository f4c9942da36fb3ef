"""``python -m tests.fuzz TARGET SECONDS``: atheris on one of :mod:`tests.fuzz.targets`.

An input that raises is left in the folder as ``crash-...``, and the exit code is not 0.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris
import django


def main() -> None:
    name, seconds = sys.argv[1:]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.admin.settings_sql")
    # What is imported before is not instrumented, and the project imports the app.
    with atheris.instrument_imports(include=["djongo_services", "PIL", "json", "bson"]):
        django.setup()
        from tests.fuzz.seeds import SEEDS
        from tests.fuzz.targets import TARGETS
    corpus = tempfile.mkdtemp(prefix="fuzz")
    for number, seed in enumerate(SEEDS[name]):
        (Path(corpus) / str(number)).write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-rss_limit_mb=1024", "-timeout=10", "-verbosity=1"]
    atheris.Setup([sys.argv[0], *options, corpus], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
