"""A project that is served, and a visitor of its admin."""

from __future__ import annotations

import http.cookiejar
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


class Browser:
    """One visitor of the admin."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._cookies = http.cookiejar.CookieJar()
        processor = urllib.request.HTTPCookieProcessor(self._cookies)
        self._opener = urllib.request.build_opener(processor)

    def get(self, path: str) -> str:
        with self._opener.open(self._address + path) as answer:
            return str(answer.read().decode())

    def post(self, path: str, **fields: str) -> str:
        self.get(path)
        token = next(one.value for one in self._cookies if one.name == "csrftoken")
        data = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": str(token)}).encode()
        with self._opener.open(self._address + path, data) as answer:
            return str(answer.read().decode())


@contextmanager
def served(
    folder: Path, environment: Mapping[str, str], python: str = sys.executable
) -> Iterator[Browser]:
    """``manage.py runserver`` at a port that the system chose."""
    with subprocess.Popen(
        [python, "-u", "manage.py", "runserver", "127.0.0.1:0", "--noreload"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            seen = []
            for line in process.stdout:
                seen.append(line)
                if match := re.search(r"server at (http://127\.0\.0\.1:\d+)/", line):
                    break
            else:
                raise AssertionError("".join(seen))
            yield Browser(match[1])
        finally:
            process.terminate()
