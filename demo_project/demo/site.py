"""The demo site, as a separate process on a free port."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from demo_project.demo.deployment import MANAGE, Deployment
from demo_project.demo.step import StepFailed


@contextlib.contextmanager
def serving(deployment: Deployment) -> Iterator[str]:
    """The site's address while it is served; its log goes to ``site.log`` in the folder."""
    log = deployment.folder / "site.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            [sys.executable, str(MANAGE), "runserver", "127.0.0.1:0", "--noreload"],
            env={**deployment.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield _address(process, log)
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=5)
            process.kill()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    """The address in the line that runserver prints once it listens; fails if it cannot listen."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"server at (http://[\d.]+:\d+)/", line):
            return found[1]
    said = log.read_text("utf-8").strip().splitlines() or ["it wrote no message"]
    raise StepFailed(f"The site did not start: {said[-1]}.")
