from __future__ import annotations

from tests.distribution import distribution as distribution
