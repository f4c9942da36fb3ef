"""The files of ``STORAGES["default"]`` under ``media/``."""

from django.urls import include, path

urlpatterns = [path("media/", include("djongo_services.storage.serving.urls"))]
