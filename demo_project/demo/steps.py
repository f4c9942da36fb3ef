"""What the demo does, in order."""

from __future__ import annotations

from demo_project.demo import collecting, data, inspection, opening, pages, syncing

_COMMANDS = (*data.STEPS, *inspection.STEPS, *syncing.STEPS, *collecting.STEPS)
BEFORE_SERVING = (*_COMMANDS, collecting.AGAIN, *opening.STEPS)
CHECK = (*_COMMANDS, *pages.STEPS)
