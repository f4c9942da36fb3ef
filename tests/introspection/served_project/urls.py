"""The admin of the models that are served at the moment."""

from __future__ import annotations

from typing import Any

urlpatterns: list[Any] = []
