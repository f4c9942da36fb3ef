"""Signals of the schema service; their sender is the class ``Plan``."""

from __future__ import annotations

from django.dispatch import Signal

schema_synced = Signal()
"""Sent after a plan was applied: ``using`` (the connection's alias), ``plan``, ``run`` (its id in
the history)."""
