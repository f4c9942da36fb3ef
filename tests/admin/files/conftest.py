"""Buckets in the test's own database, behind the pages of the admin."""

from __future__ import annotations

from django.conf import settings
from django.test import override_settings

# Whatever is in the admin's package registers with its site, which is there with the app alone.
with override_settings(
    INSTALLED_APPS=["tests.admin.apps.MongoAdminConfig", *settings.INSTALLED_APPS]
):
    import djongo_services.admin  # noqa: F401
