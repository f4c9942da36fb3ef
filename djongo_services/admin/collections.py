"""The admin of collections, put together from its pages."""

from __future__ import annotations

from djongo_services.admin.dashboard_page import DashboardPage
from djongo_services.admin.index_actions import IndexActions
from djongo_services.admin.indexes_tab import IndexesTab
from djongo_services.admin.plan_pages import PlanPages
from djongo_services.admin.run_pages import RunPages
from djongo_services.admin.schema_tab import SchemaTab
from djongo_services.admin.validator_tab import ValidatorTab


class CollectionAdmin(
    DashboardPage, PlanPages, RunPages, IndexActions, IndexesTab, SchemaTab, ValidatorTab
):
    """A dashboard for each connection, and for each collection a page with tabs."""
