"""Pages in Django's admin: what the services know, and what can be done about it.

Django's autodiscovery imports this; a custom AdminSite registers the same classes::

    site.register(Collection, CollectionAdmin)
    site.register(File, FileAdmin)
    site.register(Transaction, TransactionAdmin)

with the models of :mod:`djongo_services.models`.
"""

from __future__ import annotations

from django.contrib import admin

from djongo_services.admin.collections import CollectionAdmin
from djongo_services.admin.files.admin import FileAdmin
from djongo_services.admin.files.widget import GridFSFileWidget
from djongo_services.admin.mixins import MongoAdminMixin
from djongo_services.admin.transactions import TransactionAdmin
from djongo_services.models import Collection, File, Transaction

__all__ = [
    "CollectionAdmin",
    "FileAdmin",
    "GridFSFileWidget",
    "MongoAdminMixin",
    "TransactionAdmin",
]

admin.site.register(Collection, CollectionAdmin)
admin.site.register(File, FileAdmin)
admin.site.register(Transaction, TransactionAdmin)
