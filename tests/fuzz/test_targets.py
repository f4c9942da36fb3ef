"""The targets that ``make fuzz`` calls, with some bytes; atheris need not be installed."""

from __future__ import annotations

import os
import random
import subprocess
import sys

from tests.fuzz.seeds import SEEDS
from tests.processes import ROOT, python_path

SOME = """
import sys
import django
django.setup()
from tests.fuzz.targets import TARGETS
for line in sys.stdin:
    name, _, data = line.strip().partition(" ")
    TARGETS[name](bytes.fromhex(data))
"""


def test_every_target_takes_any_bytes() -> None:
    """In a project with the admin, which the tests' own project does not have."""
    chance = random.Random(0)
    lines = [
        f"{name} {data.hex()}"
        for name, seeds in SEEDS.items()
        for data in [*seeds, *(chance.randbytes(chance.randrange(60)) for _ in range(100))]
    ]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.admin.settings_sql",
        "PYTHONPATH": python_path(),
    }
    done = subprocess.run(
        [sys.executable, "-c", SOME],
        cwd=ROOT,
        env=environment,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
