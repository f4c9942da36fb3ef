from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    name = "demo_project.archive"
    verbose_name = "Field notes"
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"
