"""A site with Django's admin, whose connection ``archive`` is the test's own database."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.admin.utils import quote
from django.test import Client, override_settings
from django.urls import clear_url_caches, reverse
from django.utils import translation
from pymongo.database import Database

from djongo_services.connections import connections
from tests.transaction.conftest import entry

PATIENCE = 60.0
"""Seconds."""
OURS = "djongo_services.middleware.MongoTransactionMiddleware"
MIDDLEWARE = [
    OURS,
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


@dataclass
class Page:
    status: int
    html: str
    location: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The visible text, on one line."""
        body = re.sub(r"(?s)<(script|style|noscript).*?</\1>", " ", self.html)
        return read(re.sub(r"(?s)<(nav|header|footer)\b.*?</\1>", " ", body))

    def link(self, text: str) -> str:
        """The target of the first link with that text."""
        for found in re.finditer(r'(?s)<a href="([^"]*)"[^>]*>(.*?)</a>', self.html):
            if read(found[2]).startswith(text):
                return html.unescape(found[1])
        raise AssertionError(f"no link {text!r}")

    def value(self, name: str) -> str:
        """The value of a form's field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.html)
        assert found is not None
        return html.unescape(found[1])


def rows(page: str) -> list[str]:
    """The text of each row of the page's first table, without the headings of groups."""
    bodies = page.split("<tbody>", 1)[1].split("</table>")[0]
    found = re.findall(r"(?s)<tr[^>]*>(.*?)</tr>", bodies)
    return [read(row) for row in found if 'scope="rowgroup"' not in row]


def read(markup: str) -> str:
    markup = markup.replace("<wbr>", "")
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", markup))).strip()


class Site:
    """The pages as a user of the site gets them."""

    def __init__(self, database: Database[Any]) -> None:
        self.database = database
        self.client = Client(raise_request_exception=False)

    def login(self, *permissions: str, is_superuser: bool = False, is_staff: bool = True) -> Any:
        """Log in as a new user with these permissions of the package's models:
        ``"view_collection"``."""
        from django.contrib.auth.models import Permission, User

        name = "_".join(permissions) or ("root" if is_superuser else "nobody")
        user = User.objects.create(
            username=f"{name}-{User.objects.count()}", is_staff=is_staff, is_superuser=is_superuser
        )
        found = Permission.objects.filter(
            codename__in=permissions, content_type__app_label="djongo_services"
        )
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        self.client.force_login(user)
        return user

    def get(self, url: str, **query: str) -> Page:
        return _page(self.client.get(url, query or None))

    def post(self, url: str, follow: bool = False, **data: str) -> Page:
        return _page(self.client.post(url, data, follow=follow))

    def log(self) -> list[Any]:
        """The entries of the admin's log, oldest first."""
        from django.contrib.admin.models import LogEntry  # no model before the app is there

        return list(LogEntry.objects.order_by("action_time", "pk"))

    def url(self, page: str, *args: str) -> str:
        return reverse(f"admin:djongo_services_{page}", args=args)

    def collection(self, name: str, page: str = "change", *args: str) -> str:
        return self.url(f"collection_{page}", quote(f"archive/{name}"), *args)


def _page(response: Any) -> Page:
    return Page(
        status=response.status_code,
        html=response.content.decode("utf-8", "replace"),
        location=response.headers.get("Location", ""),
        headers=dict(response.headers),
    )


@pytest.fixture(scope="module")
def admin_installed() -> Iterator[None]:
    """The admin and its apps. For a module's tests together: apps, templates and addresses take
    longer to be made ready than a page takes to be shown."""
    with override_settings(
        INSTALLED_APPS=[
            "tests.admin.apps.MongoAdminConfig",
            *django_settings.INSTALLED_APPS,
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "tests.admin.shelf",
            # Here too, because the site knows an app once and for all.
            "tests.admin.files.gallery",
        ],
        MIDDLEWARE=MIDDLEWARE,
        TEMPLATES=TEMPLATES,
        ROOT_URLCONF="tests.admin.urls",
        STATIC_URL="/static/",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    ):
        clear_url_caches()
        yield


@pytest.fixture
def project(
    admin_installed: None, settings: Any, db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """Django's settings for a project of kind A with the admin.

    Its pages wait for the server for as long as a busy machine may take.
    """
    from django.apps import apps
    from django.contrib.auth.management import create_permissions
    from django.contrib.contenttypes.models import ContentType

    # Its app is installed only now.
    monkeypatch.setattr("djongo_services.admin.jobs.background.MOMENT", PATIENCE)
    ContentType.objects.clear_cache()
    create_permissions(apps.get_app_config("djongo_services"), verbosity=0)
    yield settings
    translation.deactivate()  # what a request in another language has left in this thread
    connections.close_all()
    ContentType.objects.clear_cache()


@pytest.fixture
def connect(project: Any) -> Callable[..., None]:
    """``connect(archive={"HOST": ..., "NAME": ...})``: connections beside the ORM's own.

    Unless ``patient``, their pages give up a server that does not answer as soon as by default.
    """

    def configure(
        services: dict[str, Any] | None = None, *, patient: bool = True, **entries: Any
    ) -> None:
        project.DJONGO_SERVICES = {
            "CONNECTIONS": {**entries, "default": {"DATABASE": "default"}},
            "SCHEMA": {"MODELS": {"archive": ["library"]}},
            **({"ADMIN": {"TIMEOUT": PATIENCE}} if patient else {}),
            **(services or {}),
        }

    return configure


@pytest.fixture
def site(connect: Callable[..., None], database: Database[Any]) -> Site:
    """No user is logged in yet."""
    connect(archive=entry(database))
    return Site(database)


@pytest.fixture
def root(site: Site) -> Site:
    """A superuser is logged in."""
    site.login(is_superuser=True)
    return site
