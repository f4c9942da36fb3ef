"""The engine's schema editor: what migrations do to collections, and their validators with them.

======================= ==========================================================
:mod:`.editor`          models, tables and check constraints
:mod:`.fields`          fields: added, removed, altered, in embedded models too
:mod:`.indexes`         indexes and unique constraints
:mod:`.validators`      the validator of a collection, edited in place
:mod:`.commands`        how all of them talk to the server
:mod:`.journal`         how far an interrupted migration has come
:mod:`.routing`         operations on embedded models reach the editor
======================= ==========================================================

The rest are values and functions without a server: :mod:`.draft` (a validator taken apart),
:mod:`.embedding`, :mod:`.renaming`, :mod:`.conversions`, :mod:`.batches`, :mod:`.shell`.
"""

from djongo_services.backend.schema.editor import DatabaseSchemaEditor
from djongo_services.backend.schema.routing import let_embedded_models_through

__all__ = ["DatabaseSchemaEditor"]

let_embedded_models_through()
