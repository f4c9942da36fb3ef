"""The public site and the admin: they answer, show the right things, and ask little."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demo.conftest import Demo

VISIT = """
from django.contrib.auth import get_user_model
from django.db import connection, reset_queries
from django.test import Client
from demo_project.archive.models import *

def visit(client, path):
    reset_queries()
    response = client.get(path)
    text = b"".join(response) if response.streaming else response.content
    queries = len(connection.queries)
    return {"status": response.status_code, "text": text.decode(), "queries": queries}

user = get_user_model()(username="visitor", is_staff=True, is_superuser=True)
user.set_unusable_password(); user.save()
public, admin = Client(HTTP_HOST="localhost"), Client(HTTP_HOST="localhost")
admin.force_login(user)
published = Note.objects.filter(status="published").exclude(tags=[]).first()
draft = Note.objects.filter(status="draft").first()
pages = ["/", "/notes/", "/notes/?page=2", "/notes/?page=nonsense",
    "/notes/?tag=" + published.tags[0], "/notes/?q=moss", "/notes/?q=%22%24where",
    "/people/", "/notes/000000000000000000000000/",
    "/notes/not-a-key/"]
lists = ["person", "place", "note", "medium", "loan", "search"]
admin_pages = [f"/admin/archive/{name}/{end}" for name in lists for end in ("", "?q=a")] + [
    "/admin/", "/admin/auth/user/", "/admin/archive/note/add/",
    f"/admin/archive/note/{published.pk}/change/",
    "/admin/archive/note/?recorded_at__year=2023", "/admin/archive/loan/?returned_on__isempty=1",
    "/admin/archive/person/?role__exact=curator&is_active__exact=1"]
result = {path: visit(public, path) for path in pages}
result |= {path: visit(admin, path) for path in admin_pages}
result["published"] = visit(public, published.get_absolute_url()) | {"title": published.title}
result["draft"] = visit(public, draft.get_absolute_url())
result["post"] = {"status": public.post("/notes/").status_code}
logged = Search.objects.filter(words__in=["moss", '"$where'])
result["logged"] = list(logged.values_list("words", flat=True))
logged.delete()
user.delete()
"""


@pytest.fixture(scope="module")
def pages(demo: Demo) -> dict[str, Any]:
    visited: dict[str, Any] = demo.run(VISIT)
    return visited


def test_public_pages_answer(pages: dict[str, Any]) -> None:
    found = {path: page["status"] for path, page in pages.items() if path.startswith("/notes/?")}
    assert set(found.values()) == {200}
    assert pages["/"]["status"] == pages["/people/"]["status"] == 200


def test_what_is_not_published_or_not_there_is_not_found(pages: dict[str, Any]) -> None:
    assert pages["published"]["status"] == 200
    assert pages["published"]["title"] in pages["published"]["text"]
    assert pages["draft"]["status"] == 404
    assert pages["/notes/000000000000000000000000/"]["status"] == 404
    assert pages["/notes/not-a-key/"]["status"] == 404
    assert pages["post"]["status"] == 405


def test_lists_are_paginated(pages: dict[str, Any]) -> None:
    assert pages["/notes/"]["text"].count("<li>") == 25
    assert "Page 2 of" in pages["/notes/?page=2"]["text"]
    assert "Page 1 of" in pages["/notes/?page=nonsense"]["text"]


def test_search_finds_by_words_and_is_logged(pages: dict[str, Any]) -> None:
    assert "Moss samples" in pages["/notes/?q=moss"]["text"]
    assert sorted(pages["logged"]) == ['"$where', "moss"]


def test_no_page_asks_once_per_row(pages: dict[str, Any]) -> None:
    most = {"/": 3, "/notes/": 4, "/people/": 3, "published": 4, "/admin/archive/note/": 8}
    assert {path: pages[path]["queries"] <= count for path, count in most.items()} == dict.fromkeys(
        most, True
    ), {path: pages[path]["queries"] for path in most}


def test_admin_pages_answer(pages: dict[str, Any]) -> None:
    found = {path: page["status"] for path, page in pages.items() if path.startswith("/admin/")}
    assert len(found) == 19
    assert set(found.values()) == {200}
    assert "measurements-TOTAL_FORMS" in "".join(
        page["text"] for path, page in pages.items() if path.endswith("/change/")
    )


def test_pages_carry_no_script_and_know_the_dark(pages: dict[str, Any]) -> None:
    for path in ("/", "/notes/", "/people/", "published"):
        assert "<script" not in pages[path]["text"]
        assert '<meta name="color-scheme" content="light dark">' in pages[path]["text"]


TOUR = """
import html, re
from django.contrib.auth import get_user_model
from django.test import Client
users = get_user_model()._default_manager
client = Client(HTTP_HOST="localhost")
refused = client.post("/enter/").headers["Location"]
user = users.create_superuser("admin", "admin@museum.example", "admin")
page = client.post("/enter/", follow=True).content.decode()
links = [html.unescape(path) for path in re.findall(r'<li><a href="([^"]+)">', page)]
pages = {path: client.get(path, follow=False) for path in links}
result = {"refused": refused, "named": "logged in as <strong>admin" in page,
    "statuses": {path: answer.status_code for path, answer in pages.items()},
    "get": client.get("/enter/").status_code,
    "outside": [client.get(path).status_code for path in ("/reports/../uri", "/reports/%2e%2e/uri",
        "/reports/none.html", "/reports/")]}
user.delete()
"""


@pytest.fixture(scope="module")
def tour(demo: Demo) -> dict[str, Any]:
    visited: dict[str, Any] = demo.run(TOUR)
    return visited


def test_each_page_is_two_clicks_from_the_landing_page(tour: dict[str, Any]) -> None:
    statuses = tour["statuses"]
    assert set(statuses.values()) == {200}
    kinds = {
        "collection/": "the dashboard",
        "collection/plan/": "the plan",
        "collection/runs/": "the history",
        "change/": "indexes",
        "documents/": "documents",
        "schema/": "a profile",
        "changes/": "what changed",
        "validator/": "a validator",
        "file/": "buckets",
        "files/": "the list",
        "collector/": "garbage",
        "add/": "upload",
        "transaction/": "transactions",
        "/loans/": "loans",
        "/notes/": "notes",
        "/people/": "people",
    }
    assert [said for end, said in kinds.items() if not any(p.endswith(end) for p in statuses)] == []


def test_one_click_logs_in(tour: dict[str, Any]) -> None:
    assert tour["named"]
    assert tour["get"] == 405
    # Where there is no such superuser, the admin asks.
    assert tour["refused"].startswith("/admin/login/")


def test_reports_are_served_and_nothing_beside_them(tour: dict[str, Any]) -> None:
    assert set(tour["outside"]) <= {400, 404}
