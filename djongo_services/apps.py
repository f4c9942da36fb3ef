from __future__ import annotations

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class DjongoServicesConfig(AppConfig):
    name = "djongo_services"
    verbose_name = _("MongoDB services")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from djongo_services import (  # noqa: F401
            checks,  # registers the system checks
            transaction,  # watches the clients from their beginning
        )
        from djongo_services.schema.migrating import sync_after_migrate
        from djongo_services.transaction.requests import checks as _checks  # noqa: F401

        post_migrate.connect(sync_after_migrate, dispatch_uid="djongo_services.sync_after_migrate")
        if apps.is_installed("django.contrib.admin"):
            from djongo_services.transaction.counting import count_transactions

            count_transactions()
