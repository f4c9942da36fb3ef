"""Passing a job to the project's own queue: the order, and the setting's function that accepts it.

An order is plain JSON, for any queue:
``{"kind": "files", "connection": "default", "name": "media", "run": "65f0...", "language": "de"}``.
The work is described in the slot of the run.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Literal, TypedDict

from bson import ObjectId
from django.utils.module_loading import import_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from pymongo.errors import PyMongoError

from djongo_services.conf import settings

logger = logging.getLogger("djongo_services.admin")


class QueueOrder(TypedDict):
    kind: Literal["files", "profile"]
    connection: str
    """The alias of the connection."""
    name: str
    """The name of the bucket or of the collection."""
    run: str
    language: str | None


def has_queue() -> bool:
    return settings.admin.jobs is not None


def hand_over(
    kind: Literal["files", "profile"],
    connection: str,
    name: str,
    run: ObjectId,
    *,
    give_up: Callable[[str], object],
) -> str | None:
    """None if the queue has accepted it, otherwise the reason as a sentence.

    ``give_up`` ends the run with the sentence, so that it is not shown as waiting.
    """
    order = QueueOrder(
        kind=kind, connection=connection, name=name, run=str(run), language=get_language()
    )
    try:
        import_string(str(settings.admin.jobs))(order)
    except Exception as error:
        # The project's queue may raise anything.
        logger.exception("A job could not be handed to the queue.")
        text = _("The queue did not accept the job (%(error)s); the log has the details.") % {
            "error": type(error).__name__
        }
        with contextlib.suppress(PyMongoError):  # Then it waits, and finally counts as lost.
            give_up(text)
        return text
    return None
