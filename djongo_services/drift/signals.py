"""Signals of comparisons; their sender is the class ``Comparison``."""

from __future__ import annotations

from django.dispatch import Signal

schema_drift_found = Signal()
"""Sent after ``inspectmongo`` found differences that are neither accepted nor possibly chance:
``using`` (the connection's alias) and ``comparison``."""
