"""A short soak, which ends after so many operations rather than minutes."""

from __future__ import annotations

import io
import json

from rich.console import Console

from tests.soak.report import as_json, show
from tests.soak.running import KINDS, for_operations, soak


def test_nothing_is_lost_in_a_short_soak() -> None:
    result = soak("short", for_operations(1))
    assert result.wrong == {}
    assert {kind for (kind, outcome) in result.counts if outcome == "done"} >= set(KINDS)
    assert result.faults == {"kill of the primary": 1, "step-down": 1}
    shown = io.StringIO()
    show(result, Console(width=110, file=shown))
    assert "Sound:" in shown.getvalue()
    assert json.loads(json.dumps(as_json(result)))["wrong"] == {}
