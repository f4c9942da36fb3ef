from typing import Any


class OnMongoDB:
    """Keeps all models off the alias ``sql``, which these tests do not prepare."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return False if db == "sql" else None
