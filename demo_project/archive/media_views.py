"""Adding a file to a note: the file and the document that points to it are one transaction."""

from __future__ import annotations

from bson import ObjectId
from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from demo_project.archive.models import Medium, Note


class FileForm(forms.Form):
    file = forms.FileField(max_length=100)


@require_POST
def add_medium(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    note = get_object_or_404(Note, pk=pk, status=Note.Status.PUBLISHED)
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        return render(
            request, "archive/medium_refused.html", {"note": note, "form": form}, status=400
        )
    _add(note, form.cleaned_data["file"])
    return redirect(note)


@require_POST
def fail_to_add(request: HttpRequest, pk: ObjectId) -> HttpResponse:
    """Everything is stored before the page fails; the status of its response undoes it, including
    the file."""
    done = add_medium(request, pk)
    return render(
        request, "archive/medium_failed.html", {"pk": pk, "did": done.status_code}, status=500
    )


def _add(note: Note, uploaded: UploadedFile) -> Medium:
    """Raises the ORM's error for a second file of the same name, and then leaves nothing behind."""
    medium = Medium(note=note, filename=uploaded.name, created_at=timezone.now())
    medium.file.save(str(uploaded.name), uploaded, save=False)
    stored = medium.file.storage.stored(medium.file.name)
    medium.content_type = stored.content_type
    medium.size = stored.length
    medium.checksum = stored.sha256
    medium.save(force_insert=True)
    return medium
