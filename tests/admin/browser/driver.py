"""Chromium without a window, by the WebDriver protocol (W3C) of its own chromedriver.

Both come from the system's packages; nothing else is needed to speak HTTP and JSON.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element's id (WebDriver, section 12.2)."""
SECONDS = 30
KEYS = {"Tab": "\ue004", "Enter": "\ue007"}


def find_programs() -> tuple[str, str] | None:
    """Chromium and chromedriver; None unless both are installed."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One window. ``url`` is where the site is."""

    def __init__(self, port: int, session: str, url: str) -> None:
        self._port = port
        self._session = session
        self.url = url

    def open(self, path: str) -> None:
        """Returns when the page has loaded."""
        self._post("url", {"url": self.url + path})

    @property
    def path(self) -> str:
        return str(self._get("url")).removeprefix(self.url)

    @property
    def text(self) -> str:
        """What can be seen of the page."""
        return str(self.run("return document.body.innerText"))

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script returns; promises are waited for."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def click(self, css: str) -> None:
        """The first element that matches; it leads to another page, which is then there."""
        with self.leaving():
            self._post(f"element/{self._element(css)}/click", {})

    def click_link(self, text: str) -> None:
        with self.leaving():
            self._post(f"element/{self._element(text, 'link text')}/click", {})

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Whatever leads to another page; at the end that has loaded, however long it takes."""
        self.run("window.isLeft = true")
        yield
        there = "return !window.isLeft && document.readyState === 'complete'"
        for _ in range(SECONDS * 20):
            with suppress(DriverError):  # in between there is no page to ask
                if self.run(there):
                    return
            time.sleep(0.05)
        raise AssertionError(f"still on {self.path}: {self.text}")

    def type(self, css: str, text: str) -> None:
        element = self._element(css)
        self._post(f"element/{element}/clear", {})
        self._post(f"element/{element}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Keys by name, as a person without a mouse does."""
        actions = [
            {"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")
        ]
        self._post("actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def wait_for(self, text: str) -> None:
        """Until the page shows it; raises AssertionError with what it shows instead."""
        script = """
            const [text, deadline] = [arguments[0], Date.now() + arguments[1]];
            return new Promise(resolve => {
              const look = () => document.body && document.body.innerText.includes(text)
                ? resolve(true) : Date.now() > deadline ? resolve(false) : setTimeout(look, 50);
              look();
            });"""
        for _ in range(SECONDS):  # a page that loads anew ends the script
            try:
                if self.run(script, text, 1_000):
                    return
            except DriverError:
                continue
        raise AssertionError(f"{text!r} is not in: {self.text}")

    def look(self, *, width: int, dark: bool = False, height: int = 900) -> None:
        """As wide as that; a narrow one is a phone."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[feature])

    def scripts(self, *, allowed: bool) -> None:
        self.command("Emulation.setScriptExecutionDisabled", value=not allowed)

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._get("screenshot")))

    def complaints(self) -> list[str]:
        """What the browser has complained of since this was last asked: refused and failed loads,
        errors of scripts."""
        found = self._post("se/log", {"type": "browser"})
        return [entry["message"] for entry in found if "favicon.ico" not in entry["message"]]

    def command(self, name: str, **parameters: Any) -> Any:
        """Of the DevTools protocol."""
        return self._post("goog/cdp/execute", {"cmd": name, "params": parameters})

    def close(self) -> None:
        self._ask("DELETE", "", None)

    def _element(self, what: str, using: str = "css selector") -> str:
        return str(self._post("element", {"using": using, "value": what})[ELEMENT])

    def _get(self, command: str) -> Any:
        return self._ask("GET", f"/{command}", None)

    def _post(self, command: str, parameters: dict[str, Any]) -> Any:
        return self._ask("POST", f"/{command}", parameters)

    def _ask(self, method: str, command: str, parameters: dict[str, Any] | None) -> Any:
        return ask(self._port, method, f"/session/{self._session}{command}", parameters)


class DriverError(Exception):
    pass


@contextmanager
def browser(url: str) -> Iterator[Browser]:
    """A new browser with a profile of its own, on the site at ``url``."""
    programs = find_programs()
    assert programs is not None
    binary, driver = programs
    with (
        tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder,
        subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process,
    ):
        try:
            port = _port(process)
            options = {
                "binary": binary,
                "args": [*FLAGS, f"--user-data-dir={folder}"],
            }
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            answer = ask(port, "POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            one = Browser(port, answer["sessionId"], url)
            try:
                yield one
            finally:
                one.close()
        finally:
            process.terminate()
            process.communicate(timeout=10)


def ask(port: int, method: str, path: str, parameters: dict[str, Any] | None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2 * SECONDS)
    try:
        body = None if parameters is None else json.dumps(parameters)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())["value"]
    finally:
        connection.close()
    if isinstance(answer, dict) and "error" in answer:
        raise DriverError(f"{answer['error']}: {answer['message'].splitlines()[0]}")
    return answer


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"started successfully on port (\d+)", line):
            return int(found[1])
    raise DriverError("chromedriver did not start.")
