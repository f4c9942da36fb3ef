"""The step that starts the site and visits it as a browser does."""

from __future__ import annotations

import html
import re
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from demo_project.demo.data import PASSWORD, USER
from demo_project.demo.deployment import Deployment
from demo_project.demo.site import serving
from demo_project.demo.step import Step, StepFailed

PUBLIC = (
    ("/", "A museum&#x27;s field notes|A museum's field notes"),
    ("/notes/", "Page 1 of"),
    ("/notes/?page=2", "Page 2 of"),
    ("/notes/?tag=moss", "tagged moss"),
    ("/notes/?q=moss", "Moss samples"),
    ("/people/", "Languages"),
    ("/loans/", "Lent at present"),
    ("/static/archive/archive.css", "prefers-color-scheme"),
)
ADMIN = (
    ("/admin/", "Site administration"),
    ("/admin/archive/person/", "person-|museum.example"),
    ("/admin/archive/place/?q=fen", "Alder Fen"),
    ("/admin/archive/note/", "recorded_at__year"),
    ("/admin/archive/note/?status__exact=published", "published"),
    ("/admin/archive/note/?q=moss", "Moss samples"),
    ("/admin/archive/medium/", "plate-"),
    ("/admin/archive/loan/", "L-0000"),
    ("/admin/archive/search/", "searched_at"),
    ("/admin/auth/user/", USER),
    ("/admin/djongo_services/collection/", "archive_note"),
    ("/admin/djongo_services/collection/default_2Farchive_5Fnote/change/", "_id_"),
    ("/admin/djongo_services/collection/plan/", "Plan: |In sync"),
    ("/admin/djongo_services/file/", "media"),
    ("/admin/djongo_services/transaction/", "admin:login"),
)
LEAST_LINKS = 19
"""The least number of pages to which the landing page must link."""


class Browser:
    """Keeps cookies and follows redirects; uses no proxy for a loopback address."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """The status and the text of a page; a form is posted."""
        data = None if form is None else urlencode(form).encode()
        return self._open(Request(self._address + path, data))

    def upload(self, path: str, form: dict[str, str], name: str, content: str) -> tuple[int, str]:
        """Post a form with a file in its field ``file``."""
        part = "--limit\r\nContent-Disposition: form-data; name="
        fields = "".join(f'{part}"{key}"\r\n\r\n{value}\r\n' for key, value in form.items())
        file = f'{part}"file"; filename="{name}"\r\n\r\n{content}\r\n--limit--\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=limit"}
        return self._open(Request(self._address + path, (fields + file).encode(), headers))

    def part(self, path: str, range_: str) -> tuple[int, str]:
        """A range of a file, such as ``bytes=0-9``."""
        return self._open(Request(self._address + path, headers={"Range": range_}))

    def _open(self, request: Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=30) as response:
                return response.status, response.read().decode("utf-8")
        except HTTPError as error:
            with error:
                return error.code, error.read().decode("utf-8", "replace")

    def require(self, path: str, pattern: str, form: dict[str, str] | None = None) -> str:
        """The text of a page that must exist and match; raises StepFailed otherwise."""
        status, text = self.open(path, form)
        if status != 200:
            raise StepFailed(f"{path} answers {status}, not 200.")
        if not re.search(pattern, text):
            raise StepFailed(f"{path} does not show {pattern!r}.")
        return text


def visit(deployment: Deployment) -> str:
    with serving(deployment) as address:
        browser = Browser(address)
        visited = _visit_public(browser) + _visit_loans(browser)
        visited += _upload(browser) + _visit_admin(browser)
        visited += _visit_tour(Browser(address))
    return f"{visited} pages at {address}"


def _visit_public(browser: Browser) -> int:
    for path, pattern in PUBLIC:
        browser.require(path, pattern)
    note = re.search(r'href="(/notes/[0-9a-f]{24}/)"', browser.require("/", "Latest"))
    if note is None:
        raise StepFailed("/ links to no note.")
    browser.require(note[1], "<article>")
    status, _ = browser.open(f"/notes/{'0' * 24}/")
    if status != 404:
        raise StepFailed(f"A note that does not exist answers {status}, not 404.")
    return len(PUBLIC) + 2


def _visit_loans(browser: Browser) -> int:
    """Hand over one loan by the sync view and another by the async one; before each, fail at it."""
    visited = 0
    for variant in ("", "async/"):
        loan = re.search(r'href="(/loans/[0-9a-f]{24}/)"', browser.require("/loans/", "Due"))
        if loan is None:
            raise StepFailed("/loans/ links to no loan.")
        before = browser.require("/loans/", "Handed over")
        page = browser.require(loan[1], "Hand over to")
        borrower = re.search(r'<option value="([^"]+)"', page)
        if borrower is None:
            raise StepFailed(f"{loan[1]} lists no person to hand it over to.")
        form = {"borrower": borrower[1], **_token(page)}
        status, text = browser.open(f"{loan[1]}fail/{variant}", form)
        if status != 500 or "Failed on purpose" not in text:
            raise StepFailed(f"{loan[1]}fail/{variant} answers {status}, not 500.")
        if browser.require("/loans/", "Handed over") != before:
            raise StepFailed(f"{loan[1]}fail/{variant} failed, but left something behind.")
        browser.require(f"{loan[1]}hand-over/{variant}", "Hand over to", form)
        if browser.require("/loans/", r"<li>\S+ to H-") == before:
            raise StepFailed(f"{loan[1]}hand-over/{variant} changed nothing.")
        visited += 7
    return visited


def _upload(browser: Browser) -> int:
    """Add a file to a note, request a part of it, and fail at adding another."""
    note = re.search(r'href="(/notes/[0-9a-f]{24}/)"', browser.require("/", "Latest"))
    assert note is not None
    form = _token(browser.require(note[1], "Add a file"))
    status, text = browser.upload(f"{note[1]}media/fail/", form, "fails.txt", "lost " * 99_999)
    if status != 500 or "Failed on purpose" not in text:
        raise StepFailed(f"{note[1]}media/fail/ answers {status}, not 500.")
    status, text = browser.upload(f"{note[1]}media/", form, "field.txt", "otters " * 99_999)
    if status != 200 or "fails.txt" in text:
        raise StepFailed(f"{note[1]}media/ answers {status}, or an upload that failed is there.")
    address = re.search(r'href="(/media/plates/field[^"]*\.txt)"', text)
    if address is None:
        raise StepFailed(f"{note[1]} does not link to the file that was added.")
    if (part := browser.part(address[1], "bytes=7-12")) != (206, "otters"):
        raise StepFailed(f"{address[1]} answers {part} for the bytes 7 to 12.")
    return 5


def _token(page: str) -> dict[str, str]:
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    return {"csrfmiddlewaretoken": token[1]}


def _visit_admin(browser: Browser) -> int:
    login = browser.require("/admin/login/", "csrfmiddlewaretoken")
    form = {"username": USER, "password": PASSWORD, "next": "/admin/"}
    browser.require("/admin/login/", "Site administration", {**form, **_token(login)})
    for path, pattern in ADMIN:
        browser.require(path, pattern)
    notes = browser.require("/admin/archive/note/", "change/")
    change = re.search(r"/admin/archive/note/[0-9a-f]{24}/change/", notes)
    assert change is not None
    browser.require(change[0], 'name="measurements-TOTAL_FORMS"')
    return len(ADMIN) + 2


def _visit_tour(browser: Browser) -> int:
    """Log in with the landing page's button, and follow each of its links: two clicks each."""
    form = _token(browser.require("/", "Log in as admin"))
    page = browser.require("/enter/", "You are logged in as", form)
    links = re.findall(r'<li><a href="([^"]+)">', page)
    if len(links) < LEAST_LINKS:
        raise StepFailed(f"/ has {len(links)} links to try, not {LEAST_LINKS}.")
    for path in links:
        text = browser.require(html.unescape(path), "<h1")
        # If a file is broken, the page still works.
        if 'class="mongo-trouble" role="alert"' in text:
            raise StepFailed(f"{path} reports a trouble.")
    return len(links) + 2


STEPS = (Step(name="site", run=visit),)
