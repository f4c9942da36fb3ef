from __future__ import annotations

from bson import ObjectId
from django.urls import path, register_converter

from demo_project.archive import loan_views, media_views, views


class ObjectIdConverter:
    regex = "[0-9a-f]{24}"

    def to_python(self, value: str) -> ObjectId:
        return ObjectId(value)

    def to_url(self, value: ObjectId) -> str:
        return str(value)


# From version 6.1 on, the backend itself uses the name object_id.
register_converter(ObjectIdConverter, "hex_id")

app_name = "archive"
urlpatterns = [
    path("", views.index, name="index"),
    path("enter/", views.enter, name="enter"),
    path("reports/<path:path>", views.report, name="report"),
    path("notes/", views.notes, name="notes"),
    path("notes/<hex_id:pk>/", views.note, name="note"),
    path("notes/<hex_id:pk>/media/", media_views.add_medium, name="add_medium"),
    path("notes/<hex_id:pk>/media/fail/", media_views.fail_to_add, name="fail_to_add"),
    path("people/", views.people, name="people"),
    path("loans/", loan_views.loans, name="loans"),
    path("loans/<hex_id:pk>/", loan_views.loan, name="loan"),
    path("loans/<hex_id:pk>/hand-over/", loan_views.hand_over_loan, name="hand_over"),
    path("loans/<hex_id:pk>/hand-over/async/", loan_views.ahand_over_loan, name="ahand_over"),
    path("loans/<hex_id:pk>/fail/", loan_views.fail_to_hand_over, name="fail_to_hand_over"),
    path(
        "loans/<hex_id:pk>/fail/async/",
        loan_views.afail_to_hand_over,
        name="afail_to_hand_over",
    ),
]
