"""The demo project, served to a real browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from djongo_services.embedded import MongoServer
from tests.admin.browser.driver import Browser, browser, find_programs
from tests.demo.conftest import ROOT, Demo, new_demo

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
SCREENSHOTS = HERE / "screenshots"
USER = "root"
# What the last steps of `manage.py demo` do, so that no page is empty.
OPENED = """
from pathlib import Path
from demo_project.demo.deployment import Deployment
from demo_project.demo.opening import STEPS
from demo_project.environment import VAR, mongodb_name, mongodb_uri
from djongo_services.admin.transaction_history import history
deployment = Deployment(uri=mongodb_uri(), database=mongodb_name(), folder=VAR, size="small")
result = [step.run(deployment) for step in STEPS]
history.report()
"""


@pytest.fixture(scope="session")
def demo(mongodb_server: MongoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo as it is when its site opens."""
    with new_demo(mongodb_server, tmp_path_factory.mktemp("opened")) as made:
        made.run(OPENED)
        yield made


@pytest.fixture(scope="session")
def programs() -> None:
    missing = "Chromium and chromedriver" if find_programs() is None else ""
    missing = missing or ("axe-core" if not AXE.exists() else "")
    if missing and os.environ.get("CI"):
        pytest.fail(f"{missing} is not installed; make test does it.")
    if missing:
        pytest.skip(f"{missing} is not installed; make test does it.")


@pytest.fixture(scope="session")
def address(programs: None, demo: Demo) -> Iterator[str]:
    """The address of the demo's site; its log is in the demo's folder."""
    demo.run(
        "from django.contrib.auth.models import User\n"
        f"result = User.objects.create_superuser({USER!r}, password={USER!r}).username"
    )
    environment = {
        **demo.environment,
        "DJANGO_SETTINGS_MODULE": "tests.admin.browser.settings",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload"]
    with (
        (demo.folder / "browser.log").open("w") as log,
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield _address(process)
        finally:
            process.terminate()
            process.communicate(timeout=10)


@pytest.fixture(scope="session")
def window(address: str) -> Iterator[Browser]:
    """A browser in which the superuser is logged in."""
    with browser(address) as opened:
        opened.open("/admin/login/")
        opened.type("#id_username", USER)
        opened.type("#id_password", USER)
        opened.click("input[type=submit]")
        yield opened


@pytest.fixture
def page(window: Browser) -> Iterator[Browser]:
    """The same, on a desk and in daylight; it must have had nothing to complain of."""
    window.look(width=1280)
    window.complaints()
    yield window
    assert window.complaints() == []


def _address(process: subprocess.Popen[Any]) -> str:
    for line in process.stdout or ():
        if found := re.search(r"server at (http://[\d.]+:\d+)/", line):
            return found[1]
    raise AssertionError("the site did not start")
