"""The admin of files, put together from its pages."""

from __future__ import annotations

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
    """The buckets of each connection, their files, and a page for each of them."""
