"""``path("media/", include("djongo_services.storage.serving.urls"))``: ``STORAGES["default"]``."""

from __future__ import annotations

from djongo_services.storage.serving import urlpatterns_for

urlpatterns = urlpatterns_for("default")
