from __future__ import annotations

from bson import ObjectId
from django.urls import path, register_converter

from demo_project.archive import views


class ObjectIdConverter:
    regex = "[0-9a-f]{24}"

    def to_python(self, value: str) -> ObjectId:
        return ObjectId(value)

    def to_url(self, value: ObjectId) -> str:
        return str(value)


register_converter(ObjectIdConverter, "object_id")

app_name = "archive"
urlpatterns = [
    path("", views.index, name="index"),
    path("notes/", views.notes, name="notes"),
    path("notes/<object_id:pk>/", views.note, name="note"),
    path("people/", views.people, name="people"),
]
