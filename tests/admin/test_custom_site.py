"""The pages on an AdminSite of the project's own, under another address and name."""

from __future__ import annotations

import types
from typing import Any

import pytest
from django.urls import path

from tests.admin.conftest import Site
from tests.admin.markup import Markup

ONE = "/museum/djongo_services/collection/archive_2Fbooks/"
PAGES = (
    "/museum/",
    "/museum/djongo_services/",
    "/museum/djongo_services/collection/",
    "/museum/djongo_services/collection/plan/?connection=archive",
    "/museum/djongo_services/collection/runs/?connection=archive",
    "/museum/djongo_services/transaction/",
    *(f"{ONE}{tab}/" for tab in ("change", "schema", "validator", "plan", "history")),
)


@pytest.fixture
def museum(root: Site, project: Any) -> Site:
    from django.contrib import admin
    from django.urls import clear_url_caches

    from djongo_services.admin import CollectionAdmin, TransactionAdmin
    from djongo_services.models import Collection, Transaction

    site = admin.AdminSite("museum")
    site.site_header = "The museum's own"
    site.register(Collection, CollectionAdmin)
    site.register(Transaction, TransactionAdmin)
    module = types.ModuleType("urls_of_a_custom_site")
    module.urlpatterns = [path("museum/", site.urls), path("admin/", admin.site.urls)]  # type: ignore[attr-defined]
    project.ROOT_URLCONF = module
    clear_url_caches()
    root.database.books.create_index("title", name="by_title")
    return root


@pytest.mark.parametrize("url", PAGES)
def test_pages_stay_on_their_site(museum: Site, url: str) -> None:
    page = museum.get(url)
    assert page.status == 200
    assert "The museum's own" in page.html.replace("&#x27;", "'")
    assert not [link for link in Markup(page.html).links if link.startswith("/admin/")]


def test_changes_stay_on_their_site(museum: Site) -> None:
    hide = next(
        link for link in Markup(museum.get(f"{ONE}change/").html).links if link.endswith("/hide/")
    )
    done = museum.post(hide)
    assert (done.status, done.location) == (302, f"{ONE}change/")
    assert museum.database.books.index_information()["by_title"]["hidden"]
