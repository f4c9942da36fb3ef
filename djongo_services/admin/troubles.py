"""What went wrong, as a page says it: one sentence without passwords."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from djongo_services.connections import Connection
from djongo_services.introspection.rendering.printable import printable
from djongo_services.introspection.rendering.values import shortened
from djongo_services.management.sentences import describe_error, without_secrets

_LONGEST = 1_000


def trouble_text(error: BaseException, connection: Connection) -> str:
    """For the errors of PyMongo, of the ORM, of the settings and of our own services."""
    if isinstance(error, PyMongoError | DatabaseError | ImproperlyConfigured):
        text = describe_error(error, connection)
    else:
        text = without_secrets(printable(str(error)), connection)
    return shortened(text, _LONGEST)
