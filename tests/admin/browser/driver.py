"""Chromium without a window, by selenium. Both programs come from the system's packages."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

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
SECONDS = 30


def find_programs() -> tuple[str, str] | None:
    """Chromium and chromedriver; None unless both are installed."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One window. ``url`` is where the site is."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self._driver = driver
        self.url = url

    def open(self, path: str) -> None:
        """Returns when the page has loaded."""
        self._driver.get(self.url + path)

    @property
    def path(self) -> str:
        return self._driver.current_url.removeprefix(self.url)

    @property
    def text(self) -> str:
        """The visible text of the page."""
        return str(self.run("return document.body.innerText"))

    def run(self, script: str, *arguments: Any) -> Any:
        """The result of a script; promises are awaited."""
        return self._driver.execute_script(script, *arguments)

    def click(self, css: str) -> None:
        """The first element that matches; it leads to another page, which is then there."""
        with self.leaving():
            self._driver.find_element(By.CSS_SELECTOR, css).click()

    def touch(self, css: str) -> None:
        """Click on the first element that matches, whatever that does."""
        self._driver.find_element(By.CSS_SELECTOR, css).click()

    def click_link(self, text: str) -> None:
        with self.leaving():
            self._driver.find_element(By.LINK_TEXT, text).click()

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """For a block that leads to another page; at its end that page has loaded, however long it
        takes."""
        self.run("window.isLeft = true")
        yield
        there = "return !window.isLeft && document.readyState === 'complete'"
        self._wait(lambda: self.run(there), "another page")

    def type(self, css: str, text: str) -> None:
        element = self._driver.find_element(By.CSS_SELECTOR, css)
        element.clear()
        element.send_keys(text)

    def press(self, *keys: str) -> None:
        """Keys of selenium's ``Keys``, as a person without a mouse does."""
        ActionChains(self._driver).send_keys(*keys).perform()

    def wait_for(self, text: str) -> None:
        """Wait until the page shows it; raises AssertionError with the page's text otherwise."""
        self._wait(lambda: text in self.text, repr(text))

    def wait_for_any_case(self, text: str) -> None:
        """The same where the style of the page may have made capitals of it."""
        self._wait(lambda: text.upper() in self.text.upper(), repr(text))

    def look(self, *, width: int, dark: bool = False, height: int = 900) -> None:
        """Set the width of the window; a narrow one is a phone."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[feature])

    def remember(self, name: str, value: str) -> None:
        """Set a cookie of the site, which :meth:`forget` deletes."""
        self._driver.add_cookie({"name": name, "value": value})

    def forget(self, name: str) -> None:
        self._driver.delete_cookie(name)

    def scripts(self, *, allowed: bool) -> None:
        self.command("Emulation.setScriptExecutionDisabled", value=not allowed)

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._driver.get_screenshot_as_png())

    def complaints(self) -> list[str]:
        """The browser's complaints since the last call: refused and failed loads, errors of
        scripts."""
        found = self._driver.get_log("browser")
        return [entry["message"] for entry in found if "favicon.ico" not in entry["message"]]

    def command(self, name: str, **parameters: Any) -> Any:
        """Run a command of the DevTools protocol."""
        return self._driver.execute_cdp_cmd(name, parameters)

    def _wait(self, is_there: Any, what: str) -> None:
        # In between two pages there is none to ask.
        waiting = WebDriverWait(self._driver, SECONDS, 0.05, [WebDriverException])
        try:
            waiting.until(lambda _: is_there())
        except TimeoutException:
            raise AssertionError(f"no {what} at {self.path}: {self.text}") from None


@contextmanager
def browser(url: str) -> Iterator[Browser]:
    """A new browser with a new profile, on the site at ``url``."""
    programs = find_programs()
    assert programs is not None
    options = ChromeOptions()
    options.binary_location, driver = programs
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        options.add_argument(f"--user-data-dir={folder}")
        with Chrome(options, ChromeService(driver)) as chrome:
            yield Browser(chrome, url)
