"""Models whose documents are kept in MongoDB by PyMongo, as ``SCHEMA["MODELS"]`` names them."""

from __future__ import annotations

from collections.abc import Iterator

from djongo_services.conf import settings
from djongo_services.connections import connections
from djongo_services.storage.collector.references.fields import AnyModel


def kept_elsewhere(model: AnyModel) -> Iterator[str]:
    """The connections that hold documents of the model outside of the ORM.

    Raises ImproperlyConfigured when the setting is wrong.
    """
    names = {model._meta.app_label, model._meta.label}
    for alias, labels in settings.schema.models.items():
        if names.intersection(labels) and connections[alias].settings.database is None:
            yield alias
