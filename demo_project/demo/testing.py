"""The step that runs the archive's own tests, as ``manage.py test`` does."""

from __future__ import annotations

import re
import subprocess
import sys

from demo_project.demo.deployment import MANAGE, Deployment
from demo_project.demo.step import Step, StepFailed


def run_tests(deployment: Deployment) -> str:
    done = subprocess.run(
        [sys.executable, str(MANAGE), "test", "demo_project.archive", "--noinput"],
        env=deployment.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    ran = re.search(r"^Ran (\d+ tests) in", done.stderr, re.MULTILINE)
    if done.returncode or ran is None:
        last = done.stderr.strip().splitlines() or ["it printed nothing"]
        raise StepFailed(f"manage.py test ends with exit code {done.returncode}: {last[-1]}")
    return f"{ran[1]} passed"


STEPS = (Step(name="manage.py test", run=run_tests),)
