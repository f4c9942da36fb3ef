from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy as _


class DjongoServicesConfig(AppConfig):
    name = "djongo_services"
    verbose_name = _("MongoDB services")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # No models yet: the first one to get its primary key may do so before the engine is loaded.
        from djongo_services.backend import keys

        keys.install()

    def ready(self) -> None:
        from djongo_services import checks  # noqa: F401  (registers the system checks)
        from djongo_services import engine_checks as _engine_checks  # noqa: F401
        from djongo_services import middleware_checks as _checks  # noqa: F401
        from djongo_services import storage_checks as _storage_checks  # noqa: F401
        from djongo_services.storage.following.aliases import note_rows
        from djongo_services.testing import hooks
        from djongo_services.transaction.backend_connections import watch_engines

        watch_engines()

        if hooks.expects_tests():
            hooks.install()

        pre_migrate.connect(_before_migrate, dispatch_uid="djongo_services.before_migrate")
        post_migrate.connect(_after_migrate, dispatch_uid="djongo_services.after_migrate")
        note_rows()
        if apps.is_installed("django.contrib.admin"):
            from djongo_services.admin.transaction_counters import count_transactions

            count_transactions()


# Their implementation is a fifth of all our modules, which no command except migrate needs.
def _before_migrate(**signal: Any) -> None:
    from djongo_services.schema.migrating.receivers import before_migrate

    before_migrate(**signal)


def _after_migrate(**signal: Any) -> None:
    from djongo_services.schema.migrating.receivers import after_migrate

    after_migrate(**signal)
