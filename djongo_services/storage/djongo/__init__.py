"""Files as djongo stored them: a bucket for each folder."""

from __future__ import annotations

from djongo_services.storage.djongo.moving import move_djongo_files
from djongo_services.storage.djongo.report import MovedBucket, MoveReport, NotMoved
from djongo_services.storage.djongo.storage import DjongoGridFSStorage

__all__ = [
    "DjongoGridFSStorage",
    "MoveReport",
    "MovedBucket",
    "NotMoved",
    "move_djongo_files",
]
