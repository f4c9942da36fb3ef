"""The mapping between Django's fields and BSON: one table, both directions.

=========================== ====================================================
:func:`field_schema`        the ``$jsonSchema`` of one field's values
:func:`model_schema`        that of a model's documents, and what it cannot say
:func:`to_document`         an instance of a plain model as a document
:func:`from_document`       and back
:func:`document_path`       where a field's value is in the document
:func:`register_field`      tell how a custom field is stored
:func:`django_fields`       which fields hold values of these BSON types
=========================== ====================================================
"""

from djongo_services.schema.mapping import rows as rows  # Fills the table.
from djongo_services.schema.mapping.documents import from_document, to_document
from djongo_services.schema.mapping.layout import document_path
from djongo_services.schema.mapping.rules import stored_form
from djongo_services.schema.mapping.schemas import (
    ModelSchema,
    field_schema,
    is_required,
    model_schema,
    object_schema,
)
from djongo_services.schema.mapping.table import (
    FieldMapping,
    Stored,
    django_fields,
    mapping_of,
    register_field,
    writes,
)

__all__ = [
    "FieldMapping",
    "ModelSchema",
    "Stored",
    "django_fields",
    "document_path",
    "field_schema",
    "from_document",
    "is_required",
    "mapping_of",
    "model_schema",
    "object_schema",
    "register_field",
    "stored_form",
    "to_document",
    "writes",
]
