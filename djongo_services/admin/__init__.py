"""Pages in Django's admin that show the services' results and offer their actions.

Django's autodiscovery imports this; a custom AdminSite registers the same classes::

    site.register(Collection, CollectionAdmin)
    site.register(File, FileAdmin)
    site.register(Transaction, TransactionAdmin)

with the models of :mod:`djongo_services.models`.
"""

from __future__ import annotations

from django.contrib import admin

from djongo_services.admin.changes_page import ChangesPage
from djongo_services.admin.dashboard_page import DashboardPage
from djongo_services.admin.documents.document_page import DocumentPage
from djongo_services.admin.documents.list_page import DocumentsTab
from djongo_services.admin.files.bulk_pages import BulkPages
from djongo_services.admin.files.changing_pages import ChangingPages
from djongo_services.admin.files.collector_page import CollectorPage
from djongo_services.admin.files.file_page import FilePage
from djongo_services.admin.files.list_page import ListPage
from djongo_services.admin.files.overview_page import OverviewPage
from djongo_services.admin.files.raw import RawFiles
from djongo_services.admin.files.removing_pages import RemovingPages
from djongo_services.admin.files.totals_page import TotalsPage
from djongo_services.admin.files.upload_page import UploadPage
from djongo_services.admin.files.widget import GridFSFileWidget
from djongo_services.admin.index_actions import IndexActions
from djongo_services.admin.indexes import IndexesTab
from djongo_services.admin.mixins import MongoAdminMixin
from djongo_services.admin.plan_pages import PlanPages
from djongo_services.admin.run_pages import RunPages
from djongo_services.admin.schema_tab import SchemaTab
from djongo_services.admin.transactions import TransactionAdmin
from djongo_services.admin.validator_tab import ValidatorTab
from djongo_services.models import Collection, File, Transaction

__all__ = [
    "CollectionAdmin",
    "FileAdmin",
    "GridFSFileWidget",
    "MongoAdminMixin",
    "TransactionAdmin",
]


class CollectionAdmin(
    DashboardPage,
    PlanPages,
    RunPages,
    IndexActions,
    IndexesTab,
    DocumentsTab,
    DocumentPage,
    ChangesPage,
    SchemaTab,
    ValidatorTab,
):
    """A dashboard for each connection, and a page with tabs for each collection."""


class FileAdmin(
    OverviewPage,
    UploadPage,
    ListPage,
    BulkPages,
    TotalsPage,
    CollectorPage,
    RawFiles,
    RemovingPages,
    ChangingPages,
    FilePage,
):
    """The buckets of each connection, their files, and a page for each file."""


admin.site.register(Collection, CollectionAdmin)
admin.site.register(File, FileAdmin)
admin.site.register(Transaction, TransactionAdmin)
