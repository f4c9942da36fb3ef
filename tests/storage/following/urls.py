"""Views that save a row with its file, or fail after it."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def models() -> Any:
    from tests.storage.following.papers import models as found

    return found


def save(request: HttpRequest) -> HttpResponse:
    content = ContentFile(b"content", name="a.txt")
    made = models().Paper.objects.create(title="a", file=content)
    if "fail" in request.GET:
        raise RuntimeError("after the row")
    return HttpResponse(made.file.read())


def delete(request: HttpRequest) -> HttpResponse:
    models().Paper.objects.get().file.delete()
    if "fail" in request.GET:
        raise RuntimeError("after the row")
    return HttpResponse()


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    """The first attempt is refused by the database, the second is not."""
    with transaction.atomic("papers"):
        try:
            with transaction.atomic("papers"):
                models().Paper.objects.create(title="taken", file=request.FILES["file"])
        except DatabaseError:
            made = models().Paper.objects.create(title="free", file=request.FILES["file"])
    return HttpResponse(made.file.name)


urlpatterns = [path("save", save), path("delete", delete), path("upload", upload)]
