"""Times as people read them."""

from __future__ import annotations

import pytest

from djongo_services.formatting import about, elapsed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "less than 1 second"),
        (0.99, "less than 1 second"),
        (1, "1 second"),
        (59.7, "1 minute"),
        (61, "1 minute 1 second"),
        (192, "3 minutes 12 seconds"),
        (3_599.6, "1 hour"),
        (3_900, "1 hour 5 minutes"),
        (86_399, "1 day"),
        (2 * 86_400 + 3 * 3_600 + 5, "2 days 3 hours"),
    ],
)
def test_elapsed(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0, 0, "about 0 to 1 second"),
        (0.01, 0.4, "about 0 to 1 second"),
        (1.9, 4.2, "about 1 to 5 seconds"),
        (30, 101, "about 30 seconds to 2 minutes"),
        (150, 1_000, "about 2 to 17 minutes"),
        (3_000, 9_000, "about 50 minutes to 3 hours"),
        (100_000, 1_000_000, "about 27 hours to 12 days"),
    ],
)
def test_about(low: float, high: float, text: str) -> None:
    assert about(low, high) == text
