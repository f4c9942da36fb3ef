from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest

from demo_project.archive.models import Loan, Medium, Note, Person, Place, Search
from djongo_services.admin import GridFSFileWidget, MongoAdminMixin


class ArchiveAdmin(MongoAdminMixin, admin.ModelAdmin):
    """Admin pages whose cost does not grow with the size of the collection.

    They count as little as possible, and fetch the referenced objects after the page itself: with
    ``select_related`` the server would join the whole collection before it sorts and limits.
    """

    show_full_result_count = False
    list_per_page = 50
    list_select_related = ()
    list_prefetch: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related(*self.list_prefetch)


@admin.register(Person)
class PersonAdmin(ArchiveAdmin):
    list_display = ["name", "role", "email", "joined_on", "is_active"]
    list_filter = ["role", "is_active"]
    search_fields = ["name", "email"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Place)
class PlaceAdmin(ArchiveAdmin):
    list_display = ["name", "country", "elevation", "position"]
    list_filter = ["country"]
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}

    @admin.display(description="longitude, latitude")
    def position(self, place: Place) -> str:
        return ", ".join(f"{number:.4f}" for number in place.location.get("coordinates", []))


@admin.register(Note)
class NoteAdmin(ArchiveAdmin):
    list_display = ["title", "author", "place", "recorded_at", "status", "tag_list"]
    list_filter = ["status", "recorded_at"]
    list_prefetch = ("author", "place")
    search_fields = ["title", "body"]
    date_hierarchy = "recorded_at"
    autocomplete_fields = ["author", "place"]
    fieldsets = [
        (None, {"fields": ["title", "body", "author", "place", "recorded_at", "status", "tags"]}),
        ("Observed", {"fields": ["weather", "measurements"]}),
        ("Readers", {"fields": ["visits_per_day"], "classes": ["collapse"]}),
    ]

    @admin.display(description="tags")
    def tag_list(self, note: Note) -> str:
        return ", ".join(note.tags or [])


@admin.register(Medium)
class MediumAdmin(ArchiveAdmin):
    formfield_overrides = {models.FileField: {"widget": GridFSFileWidget}}
    list_display = ["filename", "content_type", "size", "note", "created_at"]
    list_filter = ["content_type"]
    list_prefetch = ("note",)
    search_fields = ["filename", "checksum"]
    autocomplete_fields = ["note"]


@admin.register(Loan)
class LoanAdmin(ArchiveAdmin):
    list_display = ["code", "medium", "borrower", "lent_on", "due_on", "returned_on", "deposit"]
    list_filter = [("returned_on", admin.EmptyFieldListFilter), "due_on"]
    list_prefetch = ("medium", "borrower")
    search_fields = ["code"]
    date_hierarchy = "lent_on"
    autocomplete_fields = ["medium", "borrower"]


@admin.register(Search)
class SearchAdmin(ArchiveAdmin):
    """A log, which is read and never written here."""

    list_display = ["words", "results", "took", "searched_at"]
    search_fields = ["words"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
