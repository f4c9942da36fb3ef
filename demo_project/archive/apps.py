from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    name = "demo_project.archive"
    verbose_name = "Field notes"
