"""The shop's rows are on SQL."""

from __future__ import annotations

from typing import Any


class ShopRouter:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "sql" if model._meta.app_label == "shop" else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == "sql" if app_label == "shop" else None
