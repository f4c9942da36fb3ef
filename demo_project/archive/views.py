"""The public site, with published notes only. The number of queries of each page is constant."""

from __future__ import annotations

from typing import Any

from bson import ObjectId
from django.contrib.auth import authenticate, login
from django.core.paginator import Paginator
from django.db.models import Count, Model
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe
from django.views.static import serve

from demo_project.archive.models import Loan, Medium, Note, Person, Place
from demo_project.archive.search import search
from demo_project.archive.tour import tour
from demo_project.environment import DEMO_USER, REPORTS
from djongo_services.connections import connections

PER_PAGE = 25


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    counts = [
        (str(model._meta.verbose_name_plural), _estimated_count(model))
        for model in (Note, Person, Place, Medium, Loan)
    ]
    latest = list(_published()[:5])
    context = {"counts": counts, "notes": latest, "tour": tour(latest[0] if latest else None)}
    return render(request, "archive/index.html", context)


@require_POST
def enter(request: HttpRequest) -> HttpResponse:
    """Log in as the superuser whose password the page shows anyway."""
    user = authenticate(request, username=DEMO_USER, password=DEMO_USER)
    if user is None:
        return redirect("admin:login")
    login(request, user)
    return redirect("archive:index")


@require_safe
def report(request: HttpRequest, path: str) -> FileResponse:
    """A report that the commands of ``manage.py demo`` have written."""
    return serve(request, path, document_root=REPORTS)


@require_safe
def notes(request: HttpRequest) -> HttpResponse:
    """All published notes, those with a tag, or the results of a search."""
    found = _published()
    words = request.GET.get("q", "").strip()[:200]
    tag = request.GET.get("tag", "")
    if words:
        found = found.filter(pk__in=search(words))
    if tag:
        found = found.filter(tags__contains=[tag])
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "archive/notes.html", {"page": page, "words": words, "tag": tag})


@require_safe
def note(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    found = get_object_or_404(_published(), pk=pk)
    visits = sum((found.visits_per_day or {}).values())
    media = list(found.media.all()[:100])
    return render(request, "archive/note.html", {"note": found, "media": media, "visits": visits})


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    page = Paginator(Person.objects.all(), PER_PAGE).get_page(request.GET.get("page"))
    written = dict(
        Note.objects.filter(author__in=list(page.object_list), status=Note.Status.PUBLISHED)
        .order_by()
        .values_list("author")
        .annotate(Count("pk"))
    )
    rows = [(person, written.get(person.pk, 0)) for person in page.object_list]
    return render(request, "archive/people.html", {"page": page, "rows": rows})


def _published() -> Any:
    """Published notes; authors and places are fetched after the page, because ``select_related``
    would make the server join all notes before it sorts and limits (for 200,000 notes 12 s instead
    of 0.4 s)."""
    return Note.objects.filter(status=Note.Status.PUBLISHED).prefetch_related("author", "place")


def _estimated_count(model: type[Model]) -> int:
    """The number in the collection's metadata: as fast for a million documents as for one."""
    collection = connections["default"].database[model._meta.db_table]
    return collection.estimated_document_count()
