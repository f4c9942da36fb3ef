"""The admin of collections, put together from its pages."""

from __future__ import annotations

from djongo_services.admin.dashboard_page import DashboardPage
from djongo_services.admin.index_actions import IndexActions
from djongo_services.admin.indexes_tab import IndexesTab


class CollectionAdmin(DashboardPage, IndexActions, IndexesTab):
    """A dashboard for each connection, and for each collection a page with tabs."""
