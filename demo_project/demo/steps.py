"""What the demo does, in order."""

from __future__ import annotations

from demo_project.demo import data, inspection, pages, syncing

BEFORE_SERVING = (*data.STEPS, *inspection.STEPS, *syncing.STEPS)
CHECK = (*BEFORE_SERVING, *pages.STEPS)
