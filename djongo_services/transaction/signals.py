"""Signals of the transactions; their sender is the class ``Transaction``."""

from __future__ import annotations

from django.dispatch import Signal

transaction_finished = Signal()
"""After an outermost block: ``using`` (alias), ``outcome`` ("committed", "rolled back" or
"unknown"), ``reason`` (the exception that decided it, or None), ``attempt`` (from 1),
``duration`` (seconds), ``wrote`` (whether it sent a write)."""

transaction_retried = Signal()
"""Before a further attempt: ``using``, ``attempt`` (the next one's number), ``reason`` (the
exception), ``delay`` (seconds until then)."""
