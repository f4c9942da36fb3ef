"""The admin, and the files of the storage "default"."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("media/", include("djongo_services.storage.serving.urls")),
]
