"""The estimated times of index builds, as pages show them."""

from __future__ import annotations

from djongo_services import durations
from djongo_services.schema.estimating import BuildEstimate
from djongo_services.schema.wording import estimate_text


def about_text(estimate: BuildEstimate | None) -> str:
    """``about 2 to 12 minutes``; empty if nothing is known."""
    return "" if estimate is None else durations.about_text(estimate.low, estimate.high)


def estimated_text(estimate: BuildEstimate | None) -> str:
    """The total time of the builds, and the basis of the estimate; empty if nothing is known."""
    return "" if estimate is None else estimate_text(estimate)
