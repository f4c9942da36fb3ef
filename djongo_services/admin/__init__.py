"""Pages in Django's admin: what the services know, and what can be done about it.

Django's autodiscovery imports this; a custom AdminSite registers the same classes::

    site.register(Collection, CollectionAdmin)
    site.register(Transaction, TransactionAdmin)

with the models of :mod:`djongo_services.models`.
"""

from __future__ import annotations

from django.contrib import admin

from djongo_services.admin.collections import CollectionAdmin
from djongo_services.models import Collection

__all__ = ["CollectionAdmin"]

admin.site.register(Collection, CollectionAdmin)
