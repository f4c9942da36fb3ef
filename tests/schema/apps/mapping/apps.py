from django.apps import AppConfig


class MappingConfig(AppConfig):
    name = "tests.schema.apps.mapping"
    label = "mapping"
