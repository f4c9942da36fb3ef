"""The app of the site's documents, whose keys are MongoDB's."""

from django.apps import AppConfig


class Books(AppConfig):
    name = "tests.backend_app"
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"
