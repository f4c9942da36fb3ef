"""What the demo does, in order."""

from __future__ import annotations

from demo_project.demo import collecting, data, inspection, pages, syncing

_COMMANDS = (*data.STEPS, *inspection.STEPS, *syncing.STEPS, *collecting.STEPS)
BEFORE_SERVING = (*_COMMANDS, collecting.AGAIN)
CHECK = (*_COMMANDS, *pages.STEPS)
