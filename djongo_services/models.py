"""Models of the admin's pages: without tables, for the sidebar, the permissions and the history.

The permissions of a page are ``view`` to see it, ``change`` to work on the server or to make
reversible changes, ``delete`` for destructive actions, and ``add`` to create something. The content
of documents has permissions of its own. The primary keys are texts, so that a project's choice of
automatic keys does not matter; the nonexistent tables have names, otherwise Django would ask the
database's engine for names.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from djongo_services.tableless import TablelessModel


class Collection(TablelessModel):
    """A collection of a connection's database; :mod:`djongo_services.admin.address` has its key."""

    key = models.TextField(primary_key=True)

    class Meta:
        managed = False
        db_table = "djongo_services_collection"
        default_permissions = ("view", "change", "delete")
        permissions = (
            ("view_documents", "Can view documents of collections"),
            ("query_documents", "Can query documents with operators of MongoDB"),
            ("view_secrets", "Can view secrets in documents"),
        )
        verbose_name = _("collection")
        verbose_name_plural = _("collections")

    def __str__(self) -> str:
        # Here, because models are loaded before most of the app may be.
        from djongo_services.formatting import printable

        return printable(self.key)


class Transaction(TablelessModel):
    """The transactions of this process and of the servers."""

    key = models.TextField(primary_key=True)

    class Meta:
        managed = False
        db_table = "djongo_services_transaction"
        default_permissions = ("view",)
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")

    def __str__(self) -> str:
        return self.key


class File(TablelessModel):
    """A file of a bucket, or a bucket; :mod:`djongo_services.admin.files.address` has its key."""

    key = models.TextField(primary_key=True)
    shown = ""
    """Its name, for the log; not a field."""

    class Meta:
        managed = False
        db_table = "djongo_services_file"
        default_permissions = ("add", "view", "change", "delete")
        verbose_name = _("file")
        verbose_name_plural = _("files")

    def __str__(self) -> str:
        return self.shown or self.key
